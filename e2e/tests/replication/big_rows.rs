//! Rows that are bigger than Kafka's default limit of a message.

use tributary_e2e::pipeline::{EventFormat, PipelineOptions};

use crate::shared::Bench;

/// Five megabytes that do not compress.
const BODY: &str = "(SELECT decode(string_agg(md5(random()::text), ''), 'hex') FROM generate_series(1, 330000))";

#[tokio::test]
async fn rows_of_several_megabytes_are_replicated_in_either_format() {
    for format in [EventFormat::Json, EventFormat::Avro] {
        let mut bench = Bench::new(&PipelineOptions::json(&["public.files"]).format(format)).await;
        bench.sql("CREATE TABLE files (id int PRIMARY KEY, name text NOT NULL, body bytea)").await;
        bench.sql(&format!("INSERT INTO files SELECT 1, 'copied', {BODY}")).await;
        bench.pipeline.start().await.unwrap();
        bench.until_equal(&["public.files"]).await;
        bench.sql(&format!("INSERT INTO files SELECT 2, 'streamed', {BODY}")).await;
        bench.sql("UPDATE files SET name = 'renamed' WHERE id = 1").await;
        bench.until_equal(&["public.files"]).await;
    }
}
