"""Codes in running text: what is one, in which form, and at what cost."""

import time

import pytest

from storage.index.codes import bare_codes, find_codes, is_message, is_name


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("S0C7", ["s0c7"]),
        ("s0c7", ["s0c7"]),
        ("0C7", ["s0c7"]),
        ("ABEND=S0C7", ["s0c7"]),
        ("ABEND0C4 in STEP01", ["s0c4"]),
        ("abend 878", ["s878"]),
        ("abended with B37-04", ["sb37-04", "sb37"]),
        ("SB37-04", ["sb37-04", "sb37"]),
        ("S0C4-U4038", ["s0c4-u4038", "s0c4", "u4038"]),
        ("U4038", ["u4038"]),
        ("user abend code U16", ["u0016"]),
        ("-805", ["-805"]),
        ("(-911),", ["-911"]),
        ("\u2212805 pasted from a web page", ["-805"]),
        ("SQLCODE -805", ["-805"]),
        ("SQLCODE=-805", ["-805"]),
        ("SQLCODE = '-805'.", ["-805"]),
        ("-007", ["-7"]),
        ("SQLCODE: -0000000805", ["-805"]),
        ("SQLCODE = 000000100", ["-100", "+100"]),
        ("SQL-000000805", ["-805"]),
        ("SQLCODE 100", ["-100", "+100"]),
        ("SQLCODE +100", ["+100"]),
        ("SQL0805N", ["sql0805n", "-805"]),
        ("00C4", ["00c4"]),
        ("DSNT408I", ["dsnt408i"]),
        ("$HASP165", ["hasp165"]),
        ("IEF450I JOB1 STEP1 - ABEND=S322 U0000", ["ief450i", "s322"]),
        ("AEY9", ["aey9"]),
        ("AEZE", ["aeze"]),
        ("IMS status AT", ["ims-at"]),
        ("PCB status code = 'GE'", ["ims-ge"]),
        ("ORA-00600", ["ora-00600"]),
        ("ora-600", ["ora-00600"]),
        ("ORA00600 ORA1555 TNS12541", ["ora-00600", "ora-01555", "tns-12541"]),
        ("exp2024", ["exp2024"]),
        ("E2BIG", ["e2big"]),
        ("CVE-2026-1234", ["cve-2026-1234"]),
        ("0x80070005", ["80070005"]),
        ("error 80070005", ["80070005"]),
        ("0xC0000005 and C0000005", ["c0000005"]),
        ("311992D3", ["311992d3"]),
        ("FILE STATUS 35", ["fs35"]),
        ("file status is '97'", ["fs97"]),
        ("status 35", ["fs35"]),
        ("FS=35", ["fs35"]),
        ("EIBRESP=69", ["resp69"]),
        ("FS35", ["fs35"]),
        ("FILE STATUS 035", ["fs35"]),
        ("SQL-805", ["-805"]),
        ("SQL0100W", ["sql0100w", "+100"]),
        ("user abend 240", ["u0240", "s240"]),
        ("system completion code 001", ["s001"]),
        ("COMPLETION CODE - SYSTEM=0C4 USER=0000", ["s0c4"]),
        ("COMPLETION CODE - SYSTEM=000 USER=4038", ["u4038"]),
        ("ASRA AICA", ["asra", "aica"]),
        ("DL/I status code AT", ["ims-at"]),
        ("status code 'GE'", ["ims-ge"]),
        ("DB2 error -84, then -0000000911", ["-84", "-911"]),
        ("the cursor ended with DB2 +0", ["+0"]),
        ("SQL CODE -7", ["-7"]),
        ("error -911 %s", ["-911"]),
        ("rc -805 at 10:15 and -0904", ["-805"]),
        ("sqlcode = - 805", ["-805"]),
        ("-2147024891", ["80070005"]),
        ("STOP 0000007B", ["0000007b"]),
        ("SOC7", ["s0c7"]),
        ("abend SOC1", ["s0c1"]),
        ("ABEND U 0016", ["u0016"]),
        ("ora600", ["ora-00600"]),
        ("MS17-010 SP2-0734", ["ms17-010", "sp2-0734"]),
        ("IEC070I 034(004)-220,STEP1", ["iec070i"]),
        ("IEC141I 013-18,STEP1", ["iec141i", "s013-18", "s013"]),
        ("IEC020I 001-4,STEP1", ["iec020i", "s001-4", "s001"]),
        ("IEC070I 104-204", ["iec070i"]),
        ("GETMAIN SYS CODE = 878-10", ["s878-10", "s878"]),
        ("SQL503N sql0503n", ["sql0503n", "-503"]),
        ("SQL10007N", ["sql10007n", "-10007"]),
        ("0xfffffff0 0x0000ffff", ["fffffff0", "0000ffff"]),
        ("EIBRESP=00000083", ["resp83"]),
        ("DFHRESP(11)", ["resp11"]),
        ("sqlcode minus 204", ["-204"]),
        ("SQLCODE IS PLUS 100", ["+100"]),
        ("abended user 456", ["u0456"]),
    ],
)
def test_a_code_has_one_form_however_it_is_written(text: str, codes: list[str]) -> None:
    """Each spelling of a code gives the form under which the others are found."""
    assert find_codes(text) == codes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "35",
        "the year 2026",
        "exit status 35",
        "status 404",
        "status 035",
        "80500000 bytes, 20260102, 800700051 and 8007000",
        "imp01",
        "python3 mp3 x11 utf8 amd64 x86-64",
        "100MB in 250ms, 1024x768, the 1990s",
        "2026-01-02T10:11:12Z",
        "2026-805 and 10-20",
        "-1.5 degrees",
        "data-set-name --option",
        "SYS1.PROCLIB",
        "NOTFND GE, asrael",
        "status code of a request",
        "013",
        "status is fine, aerial aex michaeix",
        "日本語 ١٢٣ ²³",
        "2026-11-22 03:11:02 +0100 too many files",
        "[22/Nov/2026:03:11:02 +1000] 03:11:02.123 -1100 and 3:11 PM -0500, 11:02 -05:00",
        "Sun Nov 22 03:11:02 2026 +1200",
        "DB2 at 03:11:02 +0100",
        "RC=-1, exit code -11, kill -15 and psql -1",
        "CPU +100% load, 80%-100 % and f(x)-220",
        "-2147483648",
        "SOC 2 and SOC2 reports",
        "x509: certificate has expired, X-509, asn1 with sha256, SHA-256 and ed25519",
        "i386, i686, s390x, S390 and AVX-512",
        "CSTS=0xffffffff, 0x00000000 and 0xFFFF",
        "SQL99 minus 204 DFHRESP(NORMAL) eibresp2 00000083 eibresp 000000083",
    ],
)
def test_other_numbers_are_no_codes(text: str) -> None:
    """Amounts, dates, names and plain numbers do not claim the first places."""
    assert find_codes(text) == []


def test_a_bare_number_may_be_several_codes() -> None:
    """What would be no code in a sentence can be one when nothing else is asked for."""
    assert bare_codes("013") == ["s013", "-13", "+13"]
    assert bare_codes(" 03B") == ["s03b"]
    assert bare_codes("u16") == ["u0016"]
    assert bare_codes("db2") == bare_codes("bed") == bare_codes("13") == bare_codes("013 job") == []


def test_messages_tell_of_other_codes() -> None:
    """The ids of messages are told from what they carry."""
    assert all(map(is_message, ["ief450i", "dsnt408i", "hasp165", "dfhac2206"]))
    assert not any(map(is_message, ["s0c7", "-805", "u4038", "aey9", "fs35"]))


def test_names_are_told_from_codes_of_a_known_kind() -> None:
    """What jobs, steps and modules are called has the shape of a code, and no more."""
    assert all(map(is_name, ["payr010", "step10", "igg0191b", "prod1234"]))
    known = ["ief450i", "dsnt408i", "hasp165", "dfhac2206", "sb37", "u4038", "resp13", "aey9"]
    assert not any(map(is_name, [*known, "-805", "ora-00600", "fs35", "kb5012170", "311992d3"]))


@pytest.mark.parametrize("one", ["S0C4", "0c1", "SA03", "-804", "U4039", "IEF451I", "FS 34"])
def test_near_codes_differ(one: str) -> None:
    """A code never has the form of its neighbour."""
    neighbours = "S0C7 S0C1X SA0A -805 U4038 IEF450I FS 35"
    assert not set(find_codes(one)) & set(find_codes(neighbours))


@pytest.mark.parametrize(
    "part",
    [
        *("a", "1", "-", "a-", "1-", "a1", "ab1-", ".1", "+", " ", "é", "\0", "\ud800"),
        *("status code ", "completion code ", "user abend  ", "completion code - system  "),
        *("status ", "sqlcode   ", "abend is  ", "abend code is ", "resp= ", "fs  "),
        "IEF450I S0C7 -805 ",
        *("sqlcode minus ", "abended user  ", "resp=0", "0x0"),
        *("-805 ", "+0100 ", "1:11 +0100 ", "sql +1", "iec141i ", "sys code = ", "-1)"),
    ],
)
def test_long_text_takes_time_in_proportion(part: str) -> None:
    """200,000 characters made to send patterns back and forth are read within bounds."""
    text = part * (200_000 // len(part))
    begun = time.process_time()
    find_codes(text)
    assert time.process_time() - begun < 0.5
