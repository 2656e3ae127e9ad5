"""When a deployment runs: as Prefect keeps it, and as people read it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from croniter import croniter
from croniter.croniter import CroniterError
from dateutil.rrule import rrulestr
from prefect.client.schemas.schedules import CronSchedule

from lake.config import Schedule
from lake.errors import InvalidConfig

_ANCHOR = datetime(2020, 1, 1)


def kept(schedule: Schedule, *, zone: str, now: datetime) -> dict[str, Any]:
    """Return a schedule as the server keeps it.

    Args:
        schedule: what `lake.toml` says.
        zone: the zone of a schedule that says none.
        now: the time after which it has to fire.

    Raises:
        InvalidConfig: it is malformed, or never fires.
    """
    zone = schedule.timezone or zone
    if schedule.interval is not None:
        if schedule.interval <= timedelta():
            raise InvalidConfig("schedule.interval is nothing: write one such as '1 hour'")
        anchor = _ANCHOR.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        seconds = schedule.interval.total_seconds()
        return {"interval": seconds, "anchor_date": anchor.isoformat(), "timezone": zone}
    if schedule.cron:
        _check_cron(schedule.cron, now)
        return {"cron": schedule.cron, "timezone": zone, "day_or": True}
    _check_rrule(schedule.rrule, now)
    return {"rrule": schedule.rrule, "timezone": zone}


def _check_cron(cron: str, now: datetime) -> None:
    try:
        CronSchedule(cron=cron)
    except ValueError as exc:
        raise InvalidConfig(
            f"schedule.cron = {cron!r} is no cron: write minute, hour, day, month and weekday, such"
            " as '0 6 * * *'"
        ) from exc
    try:
        croniter(cron, now).get_next(datetime)
    except CroniterError as exc:
        raise InvalidConfig(
            f"schedule.cron = {cron!r} never fires: no day is like that; write another"
        ) from exc


def _check_rrule(rule: str, now: datetime) -> None:
    # The rule's own times say whether they have a zone, and may not be compared with others.
    starts = (now.replace(tzinfo=None), now)
    is_zoned = any(part.endswith("Z") for part in rule.replace("\n", ";").split(";"))
    try:
        following = rrulestr(rule, dtstart=starts[is_zoned]).after(starts[is_zoned])
    except (ValueError, TypeError, KeyError) as exc:
        raise InvalidConfig(f"schedule.rrule = {rule!r} is no RFC 5545 rule: {exc}") from exc
    if following is None:
        raise InvalidConfig(f"schedule.rrule = {rule!r} never fires again: write another")


def found(schedule: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the server keeps of a schedule, in the form that `kept` has."""
    if "interval" in schedule:
        anchor = datetime.fromisoformat(schedule["anchor_date"]).astimezone(UTC).isoformat()
        return {**schedule, "interval": float(schedule["interval"]), "anchor_date": anchor}
    return dict(schedule)


def shown(schedules: Sequence[Mapping[str, Any]]) -> str:
    """Return schedules as people read them: `cron 0 6 * * * Europe/Paris`."""
    return ", ".join(map(_shown, schedules)) or "none"


def _shown(schedule: Mapping[str, Any]) -> str:
    zone, own = schedule.get("timezone") or "UTC", schedule.get("parameters")
    more = f" with {own}" if own else ""
    if "interval" in schedule:
        return f"every {timedelta(seconds=schedule['interval'])} {zone}{more}"
    kind = "cron" if "cron" in schedule else "rrule"
    return f"{kind} {schedule[kind]} {zone}{more}"
