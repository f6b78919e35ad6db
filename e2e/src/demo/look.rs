//! How to look at the Delta tables oneself: lines to paste, with readers that are not ours.

use crate::stack::{S3_ACCESS_KEY as KEY, S3_REGION as REGION, S3_SECRET_KEY as SECRET};

/// Shell lines for `DuckDB` and for Polars that read the table of orders on the S3 at this address.
pub(super) fn lines(endpoint: &str, orders: &str) -> String {
    let host = endpoint.trim_start_matches("http://");
    format!(
        r#"# DuckDB
python3 -m venv look && look/bin/pip install -q duckdb==1.5.5 duckdb-extension-delta==1.5.5 duckdb-extension-httpfs==1.5.5
look/bin/python - <<'END'
import duckdb, duckdb_extension_delta, duckdb_extension_httpfs
duckdb.load_extension(f"{{duckdb_extension_httpfs.__path__[0]}}/extensions/v1.5.5/httpfs.duckdb_extension")
duckdb.load_extension(f"{{duckdb_extension_delta.__path__[0]}}/extensions/v1.5.5/delta.duckdb_extension")
duckdb.sql("""CREATE SECRET (TYPE s3, KEY_ID '{KEY}', SECRET '{SECRET}', REGION '{REGION}',
              ENDPOINT '{host}', URL_STYLE 'path', USE_SSL false)""")
duckdb.sql("SELECT status, count(*), sum(amount) FROM delta_scan('{orders}') GROUP BY ALL ORDER BY ALL").show()
END

# Polars
python3 -m venv look && look/bin/pip install -q polars==2.1.0 deltalake==1.6.6
look/bin/python - <<'END'
import polars
s3 = {{"aws_endpoint_url": "{endpoint}", "aws_allow_http": "true", "aws_region": "{REGION}",
      "aws_access_key_id": "{KEY}", "aws_secret_access_key": "{SECRET}"}}
orders = polars.scan_delta("{orders}", storage_options=s3)
print(orders.group_by("status").agg(polars.len(), polars.sum("amount")).sort("status").collect())
END"#
    )
}
