"""Names for which no server answers, in a network where the system's resolver asks one that keeps silent."""

from tests.unit.core.namespaces import found_in_namespace


def test_names_that_hang_do_not_keep_a_known_host_waiting() -> None:
    first, known, *silent = found_in_namespace("tests.unit.notifiers.silent_names")
    assert (first, known) == (["first", 204, None], ["known", 204, None])
    assert len(silent) == 100
    assert {(job, status, reason) for job, status, reason in silent} == {("silent", None, "dns")}
