"""FastAPI and asyncpg: a pool from the lifespan, https://magicstack.github.io/asyncpg/current/usage.html#connection-pools"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI, Request

from birthday import Greeting, NewBirthday, Username, greeting


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
