"""The migrations lead to the tables of the code, down and up again."""

from migrations import apply


async def test_the_migrated_schema_is_the_schema_of_the_code(dsn: str) -> None:
    await apply.check_async(dsn)
    assert await apply.current_async(dsn) == apply.newest()


async def test_every_migration_goes_down_and_up_again(dsn: str) -> None:
    await apply.downgrade_async(dsn, "base")
    assert await apply.current_async(dsn) is None
    await apply.upgrade_async(dsn)
    await apply.check_async(dsn)
