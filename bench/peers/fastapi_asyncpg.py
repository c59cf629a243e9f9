"""FastAPI and asyncpg: a pool from the lifespan, https://magicstack.github.io/asyncpg/current/usage.html#connection-pools"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Annotated

import asyncpg
from fastapi import FastAPI, HTTPException, Path, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter

Username = Annotated[str, Path(pattern="^[A-Za-z]{1,64}$")]

iso_date = TypeAdapter(Annotated[str, StringConstraints(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")])


def today() -> date:
    return datetime.now(UTC).date()


def before_today(born: date) -> date:
    if born >= today():
        raise ValueError("dateOfBirth must be before today")
    return born


class NewBirthday(BaseModel):
    model_config = ConfigDict(extra="forbid")

    # Pydantic alone also accepts timestamps.
    date_of_birth: Annotated[date, BeforeValidator(iso_date.validate_python), AfterValidator(before_today)] = Field(alias="dateOfBirth")


class Greeting(BaseModel):
    message: str


def birthday_in(year: int, born: date) -> date:
    try:
        return born.replace(year=year)
    except ValueError:  # 29 February in a common year
        return date(year, 3, 1)


def greeting(username: str, born: date | None) -> Greeting:
    if born is None:
        raise HTTPException(404, "no birthday is saved under that name")
    now = today()
    birthday = birthday_in(now.year, born)
    if birthday < now:
        birthday = birthday_in(now.year + 1, born)
    days = (birthday - now).days
    if days == 0:
        return Greeting(message=f"Hello, {username}! Happy birthday!")
    return Greeting(message=f"Hello, {username}! Your birthday is in {days} day(s)")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"]) as pool:
        yield {"pool": pool}


app = FastAPI(lifespan=lifespan)


@app.get("/hello/{username}")
async def greet(username: Username, request: Request) -> Greeting:
    born = await request.state.pool.fetchval("select date_of_birth from birthdays where username = $1", username)
    return greeting(username, born)


@app.put("/hello/{username}", status_code=204)
async def save(username: Username, body: NewBirthday, request: Request) -> None:
    await request.state.pool.execute(
        "insert into birthdays (username, date_of_birth) values ($1, $2) "
        "on conflict (username) do update set date_of_birth = excluded.date_of_birth",
        username,
        body.date_of_birth,
    )
