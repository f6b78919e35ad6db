//! Every type that is replicated, with the values at its edges. The rules for them are those of docs/types.md.
//!
//! Left out, because Debezium stops at them or sends something else: NaN and infinity of numeric, a negative scale,
//! timestamps beyond the year 294247, nulls in arrays of enums, arrays of more than one dimension, and what a snapshot
//! changes: dates before Christ and those of 5 to 14 October 1582.

/// A column of the table with every type.
pub(super) struct TypeColumn {
    pub(super) name: &'static str,
    /// The type, as SQL writes it.
    pub(super) sql: &'static str,
    /// The values, as the text inside of an SQL literal.
    pub(super) values: &'static [&'static str],
}

const fn column(name: &'static str, sql: &'static str, values: &'static [&'static str]) -> TypeColumn {
    TypeColumn { name, sql, values }
}

const NINES: &str = "99999999999999999999999999999999999999";
const LONG_FRACTION: &str = "0.99999999999999999999999999999999999999";
const HUGE: &str = "1234567890123456789012345678901234567890.0123456789";
const TINY: &str = "-0.000000000000000000000000000000000000000000001";

pub(super) const COLUMNS: &[TypeColumn] = &[
    column("a_smallint", "smallint", &["7", "-32768", "32767", "0"]),
    column("an_integer", "integer", &["7", "-2147483648", "2147483647", "0"]),
    column("a_bigint", "bigint", &["7", "-9223372036854775808", "9223372036854775807", "9007199254740993"]),
    column("an_oid", "oid", &["0", "4294967295"]),
    column("a_domain", "positive", &["1", "2147483647"]),
    column("a_decimal", "numeric(12,2)", &["12.34", "-9999999999.99", "9999999999.99", "0", "-0.01", "0.10"]),
    column("a_long_decimal", "numeric(38,0)", &["1", NINES, "-99999999999999999999999999999999999999", "0"]),
    column("a_fraction", "numeric(38,38)", &[LONG_FRACTION, "0", "-0.00000000000000000000000000000000000001"]),
    column("a_longer_decimal", "numeric(50,10)", &[HUGE, "-1.5", "0"]),
    column("thousandths", "numeric(3,5)", &["0.00999", "-0.00001", "0"]),
    column("any_numeric", "numeric", &["123.4500", "0", "12000", HUGE, TINY, "-1e60", "0.000"]),
    column("some_money", "money", &["12.34", "-92233720368547758.08", "92233720368547758.07", "0"]),
    column("a_real", "real", &["1.5", "NaN", "Infinity", "-Infinity", "-0", "3.4028235e38", "1e-45", "0.1"]),
    column(
        "a_double",
        "double precision",
        &["1.5", "NaN", "Infinity", "-Infinity", "-0", "1.7976931348623157e308", "5e-324", "0.1"],
    ),
    column("a_boolean", "boolean", &["true", "false"]),
    column("a_char", "char(5)", &["ab", "", "abcde", "東京   "]),
    column("a_varchar", "varchar(10)", &["ab", "", "0123456789", "ab  "]),
    column(
        "a_text",
        "text",
        &[
            "ordinary",
            "",
            "\"quoted\" \\ back\tslash\r\nnew 'line'",
            "Zürich 東京 🛒 \u{1}\u{7f}\u{2028}",
            "null",
            "NULL",
        ],
    ),
    column("a_citext", "citext", &["MixedCase", ""]),
    column(
        "a_uuid",
        "uuid",
        &[
            "10000000-0000-4000-8000-00000000000a",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ],
    ),
    column("a_json", "json", &["{\"z\":1,  \"a\":[2, null, 1.50]}", "null", "\"text\"", "[]", "1e400"]),
    column(
        "a_jsonb",
        "jsonb",
        &["{\"z\":1,  \"a\":[2, null, 1.50]}", "null", "\"ü\"", "{}", "123456789012345678901234567890.10"],
    ),
    column("an_xml", "xml", &["<a b=\"c\">x</a>", "<empty/>"]),
    column(
        "a_date",
        "date",
        &[
            "2024-02-29",
            "infinity",
            "-infinity",
            "0001-01-01",
            "9999-12-31",
            "1582-10-04",
            "1582-10-15",
            "1969-12-31",
            "1970-01-01",
            "5874897-12-31",
        ],
    ),
    column("a_time", "time", &["07:30:15.123456", "00:00:00", "23:59:59.999999", "24:00:00"]),
    column("a_short_time", "time(3)", &["07:30:15.123", "00:00:00", "23:59:59.999", "24:00:00"]),
    column("a_zoned_time", "timetz", &["07:30:15.123456+02", "00:00:00+00", "23:59:59.999999-05:30", "12:00:00.5+14"]),
    column("a_timestamp", "timestamp", TIMESTAMPS),
    column(
        "a_short_timestamp",
        "timestamp(3)",
        &[
            "2024-01-02 03:04:05.678",
            "infinity",
            "-infinity",
            "0001-01-01",
            "9999-12-31 23:59:59.999",
            "1582-10-10",
            "1969-12-31 23:59:59.999",
            "0044-03-15 BC",
        ],
    ),
    column(
        "a_whole_timestamp",
        "timestamp(0)",
        &["2024-01-02 03:04:05", "infinity", "-infinity", "0001-01-01", "9999-12-31 23:59:59"],
    ),
    column("a_zoned_timestamp", "timestamptz", ZONED_TIMESTAMPS),
    column(
        "an_interval",
        "interval",
        &[
            "1 year 2 mons 3 days 04:05:06.789",
            "0",
            "-1 mon +2 days -03:00:00.000001",
            "100:00:00",
            "-178000000 years",
            "33 mons",
        ],
    ),
    column("some_bytes", "bytea", &["\\x00ff", "\\x", "\\xdeadbeef00"]),
    column("a_bit", "bit(1)", &["1", "0"]),
    column("some_bits", "bit(12)", &["000000000001", "100000000000", "000000000000", "111111111111"]),
    column("varying_bits", "bit varying(10)", &["1000000001", "0001", "101", "0000000000", ""]),
    column("an_enum", "mood", &["sad", "ok", "it's \"fine\""]),
    column("an_inet", "inet", &["10.0.0.1/24", "::1", "2001:db8::ff00:42:8329/64", "255.255.255.255"]),
    column("a_cidr", "cidr", &["10.0.0.0/8", "::/0"]),
    column("a_macaddr", "macaddr", &["08:00:2b:01:02:03", "00:00:00:00:00:00"]),
    column("an_int4range", "int4range", &["[1,10)", "empty", "(,)", "[5,]"]),
    column("an_int8range", "int8range", &["[1,10)", "[-9223372036854775808,)"]),
    column("a_numrange", "numrange", &["[1.5,2.50]", "(,0)"]),
    column("a_daterange", "daterange", &["[2024-01-01,2024-02-01)", "[2024-01-01,infinity)"]),
    column("a_tsrange", "tsrange", &["[2024-01-01 01:02:03.5,2024-02-01)", "(,)"]),
    column("a_tstzrange", "tstzrange", &["[2024-01-01 00:00:00+00,2024-02-01 00:00:00+00)", "empty"]),
    column("a_tsvector", "tsvector", &["'a' 'cat':1A,2", ""]),
    column("a_point", "point", &["(1.5,-2.5)", "(0,0)", "(1e300,0.1)"]),
    column("an_hstore", "hstore", &["a=>1, b=>NULL, \"c d\"=>\"\\\"x\\\"\"", ""]),
    column("an_ltree", "ltree", &["top.a.b", ""]),
    column("some_booleans", "boolean[]", &["{t,f,NULL}", "{}"]),
    column("some_smallints", "smallint[]", &["{1,NULL,-32768,32767}", "{}"]),
    column("some_integers", "integer[]", &["{1,NULL,-2147483648,2147483647}", "{}", "{NULL}"]),
    column("some_bigints", "bigint[]", &["{9007199254740993,NULL,-9223372036854775808}", "{}"]),
    column("some_reals", "real[]", &["{1.5,0.1,NULL}", "{}"]),
    column("some_doubles", "double precision[]", &["{1.5,0.1,NULL}", "{}"]),
    column("some_decimals", "numeric(10,2)[]", &["{1.50,NULL,-99999999.99}", "{}"]),
    column("some_texts", "text[]", &["{a,\"b c\",NULL,\"\",\"NULL\",\"q\\\"\\\\\"}", "{}"]),
    column("some_varchars", "varchar(5)[]", &["{a,NULL}", "{}"]),
    column("some_uuids", "uuid[]", &["{10000000-0000-4000-8000-00000000000a,NULL}", "{}"]),
    column("some_dates", "date[]", &["{2024-02-29,NULL,0001-01-01}", "{}"]),
    column("some_timestamps", "timestamp[]", &["{2024-01-02 03:04:05.678901,NULL}", "{}"]),
    column("some_zoned_timestamps", "timestamptz[]", &["{2024-01-02 03:04:05.678901+02,NULL}", "{}"]),
    column("some_enums", "mood[]", &["{sad,ok}", "{}"]),
];

const TIMESTAMPS: &[&str] = &[
    "2024-01-02 03:04:05.678901",
    "infinity",
    "-infinity",
    "0001-01-01",
    "9999-12-31 23:59:59.999999",
    "1582-10-10 12:00:00.000001",
    "1969-12-31 23:59:59.999999",
    "0044-03-15 BC",
    "4713-01-01 BC",
    "294246-12-31 23:59:59.999999",
];

const ZONED_TIMESTAMPS: &[&str] = &[
    "2024-01-02 03:04:05.678901+02",
    "infinity",
    "-infinity",
    "0001-01-01 00:00:00+00",
    "9999-12-31 23:59:59.999999+00",
    "1582-10-10 12:00:00.000001+00",
    "1969-12-31 23:59:59.999999+00",
    "0044-03-15 00:00:00+00 BC",
    "4713-01-01 00:00:00+00 BC",
    "294246-12-31 23:59:59.999999+00",
];
