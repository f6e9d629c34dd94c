"""Values that the documents describe by format and pattern together, which random values of the format rarely meet."""

from datetime import date, datetime, timezone

import schemathesis
from hypothesis import strategies as st

# The years that the shop reads; the patterns of the documents say the same.
DATES = st.dates(date(1900, 1, 1), date(2100, 12, 31))
MOMENTS = st.datetimes(datetime(1900, 1, 2), datetime(2100, 12, 30), timezones=st.just(timezone.utc))

schemathesis.openapi.format("date", DATES.map(str))
schemathesis.openapi.format("date-time", MOMENTS.map(lambda moment: moment.isoformat()))
