"""Values that the documents describe by format and pattern together, which random values of the format rarely meet."""

from datetime import date, datetime, timezone

import schemathesis
from hypothesis import strategies as st

# The years that the shop reads; the patterns of the documents say the same.
DATES = st.dates(date(1900, 1, 1), date(2100, 12, 31))
MOMENTS = st.datetimes(datetime(1900, 1, 2), datetime(2100, 12, 30), timezones=st.just(timezone.utc))

schemathesis.openapi.format("date", DATES.map(str))
schemathesis.openapi.format("date-time", MOMENTS.map(lambda moment: moment.isoformat()))

# The names of the headers that are in no document. HTTP tells a recipient to ignore those (RFC 9110, 5.1), so answering
# such a request is right. Unknown members of bodies and unknown query parameters are refused, and stay.
UNKNOWN_HEADERS = {"x-schemathesis-unknown-property", "schemathesis-unknown-property", "unknown-property-0"}


@schemathesis.hook
def filter_case(context, case):
    """Leaves out requests whose only fault is a header that the document does not name."""
    return UNKNOWN_HEADERS.isdisjoint(name.lower() for name in case.headers or {})
