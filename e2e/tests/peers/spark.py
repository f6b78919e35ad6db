"""Runs SQL in Spark with Delta: `spark.py JARS FOLDER`. A statement is a line, and so is its answer, as JSON.

The answer is `{"Ok": rows}` or `{"Err": message}`, without Java's stack trace. What Spark itself prints goes to standard error.
"""

import json
import os
import sys

from pyspark.sql import SparkSession

SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.log.level": "ERROR",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # The tables are small: fewer tasks than for a cluster.
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    "spark.databricks.delta.snapshotPartitions": "2",
}


def session(jars: str, folder: str) -> SparkSession:
    builder = SparkSession.builder.master("local[2]").config(map=SETTINGS)
    places = {"spark.driver.extraClassPath": f"{jars}/*", "spark.local.dir": folder, "spark.sql.warehouse.dir": folder}
    return builder.config(map=places).getOrCreate()


def answer(spark: SparkSession, statement: str) -> dict:
    try:
        return {"Ok": [json.loads(row) for row in spark.sql(statement).toJSON().collect()]}
    except Exception as error:
        return {"Err": str(error).partition("\n\tat ")[0]}


def main(jars: str, folder: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    spark = session(jars, folder)
    for statement in sys.stdin:
        print(json.dumps(answer(spark, statement)), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
