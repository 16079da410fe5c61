"""The migrations lead to the tables of the code, down and up again."""

from migrations import apply


async def test_the_migrated_schema_is_the_schema_of_the_code(own_dsn: str) -> None:
    await apply.check_async(own_dsn)
    assert await apply.current_async(own_dsn) == apply.newest()


async def test_every_migration_goes_down_and_up_again(own_dsn: str) -> None:
    await apply.downgrade_async(own_dsn, "base")
    assert await apply.current_async(own_dsn) is None
    await apply.upgrade_async(own_dsn)
    await apply.check_async(own_dsn)
