"""What of a run is news, and what is as it was."""

from lake_flows.news import news
from lake_flows.report import Report, Row


def test_a_partition_that_was_published_again_is_news_and_rows_of_a_cursor_are_none() -> None:
    again = Row("land", "raw.trips/month=2024-01", "landed", rows=3, version=2)
    appended = Row("land", "raw.orders", "landed", rows=3, version=2, is_appended=True)
    report = Report("elt", rows=[again, appended])
    assert [one.about for one in news(report)] == ["raw.trips/month=2024-01"]
    assert report.headline == "1 changed, 1 landed"
