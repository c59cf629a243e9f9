"""FastAPI and SQLAlchemy's asyncio extension: a session for each request from a dependency that yields,
https://docs.sqlalchemy.org/en/21/orm/extensions/asyncio.html and https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/"""

import os
from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from birthday import Greeting, NewBirthday, Username, greeting

engine = create_async_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"))
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Birthday(Base):
    __tablename__ = "birthdays"

    username: Mapped[str] = mapped_column(primary_key=True)
    date_of_birth: Mapped[date]


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(session)]
app = FastAPI()


@app.get("/hello/{username}")
async def greet(username: Username, session: Session) -> Greeting:
    birthday = await session.get(Birthday, username)
    return greeting(username, birthday and birthday.date_of_birth)


@app.put("/hello/{username}", status_code=204)
async def save(username: Username, body: NewBirthday, session: Session) -> None:
    row = insert(Birthday).values(username=username, date_of_birth=body.date_of_birth)
    await session.execute(row.on_conflict_do_update(index_elements=["username"], set_={"date_of_birth": row.excluded.date_of_birth}))
    await session.commit()
