//! Debezium envelope, JSON (arrow-json) or Avro (arrow-avro), whole batches → Arrow; semantic types, column by column.
