package dev.tributary.oracle;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.delta.kernel.Scan;
import io.delta.kernel.Snapshot;
import io.delta.kernel.TableManager;
import io.delta.kernel.data.ColumnVector;
import io.delta.kernel.data.FilteredColumnarBatch;
import io.delta.kernel.data.Row;
import io.delta.kernel.defaults.engine.DefaultEngine;
import io.delta.kernel.engine.Engine;
import io.delta.kernel.engine.FileReadResult;
import io.delta.kernel.internal.InternalScanFileUtils;
import io.delta.kernel.internal.actions.DeletionVectorDescriptor;
import io.delta.kernel.internal.data.ScanStateRow;
import io.delta.kernel.internal.types.DataTypeJsonSerDe;
import io.delta.kernel.internal.util.Utils;
import io.delta.kernel.types.StructField;
import io.delta.kernel.types.StructType;
import io.delta.kernel.utils.CloseableIterator;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;

/**
 * Prints Delta tables as JSON lines: a header object, one array per row, and an object with the number of rows.
 *
 * <p>A table is named by the arguments, or else by lines on standard input, so that one JVM can serve many reads. {@code
 * --schema} before the name prints only the header, {@code --count} the header and the number of rows according to the log. How
 * values are written is in {@link Values}.
 */
public final class Oracle {
  private static final String SCHEMA = "--schema ";
  private static final String COUNT = "--count ";

  private static final ObjectMapper JSON = new ObjectMapper();

  private final Engine engine = DefaultEngine.create(new Configuration());
  private final JsonGenerator out;

  private Oracle(JsonGenerator out) {
    this.out = out;
  }

  public static void main(String[] args) throws IOException {
    var stdout = new FileOutputStream(FileDescriptor.out);
    try (var out = new JsonFactory().createGenerator(stdout)) {
      out.setRootValueSeparator(null);
      var oracle = new Oracle(out);
      if (args.length > 0) {
        oracle.answer(String.join(" ", args));
        return;
      }
      var requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String request = requests.readLine(); request != null; request = requests.readLine()) {
        oracle.answer(request);
      }
    }
  }

  /** Answers one request; whatever goes wrong is an {@code {"error": …}} line in the place of the final count. */
  private void answer(String request) throws IOException {
    try {
      String path = request.startsWith("--") ? request.substring(request.indexOf(' ') + 1) : request;
      Snapshot snapshot = TableManager.loadSnapshot(path).build(engine);
      printHeader(snapshot);
      long rows = 0;
      if (request.startsWith(COUNT)) rows = countRows(snapshot);
      else if (!request.startsWith(SCHEMA)) rows = printRows(snapshot);
      out.writeStartObject();
      out.writeNumberField("rows", rows);
    } catch (Exception e) {
      closeUnfinishedLine();
      out.writeStartObject();
      out.writeStringField("error", e.toString());
    }
    out.writeEndObject();
    endLine();
    out.flush();
  }

  private void printHeader(Snapshot snapshot) throws IOException {
    out.writeStartObject();
    out.writeNumberField("version", snapshot.getVersion());
    out.writeArrayFieldStart("columns");
    for (StructField field : snapshot.getSchema().fields()) {
      out.writeStartObject();
      out.writeStringField("name", field.getName());
      out.writeFieldName("type");
      out.writeRawValue(DataTypeJsonSerDe.serializeDataType(field.getDataType()));
      out.writeEndObject();
    }
    out.writeEndArray();
    out.writeEndObject();
    endLine();
  }

  /** The rows of the table as the statistics and deletion vectors in the log count them; no data file is read. */
  private long countRows(Snapshot snapshot) throws IOException {
    long rows = 0;
    try (var files = snapshot.getScanBuilder().build().getScanFiles(engine, true)) {
      while (files.hasNext()) {
        try (CloseableIterator<Row> batch = files.next().getRows()) {
          while (batch.hasNext()) rows += countFile(batch.next());
        }
      }
    }
    return rows;
  }

  private static long countFile(Row file) throws IOException {
    Row add = file.getStruct(InternalScanFileUtils.ADD_FILE_ORDINAL);
    JsonNode stats = JSON.readTree(add.getString(InternalScanFileUtils.ADD_FILE_STATS_ORDINAL));
    DeletionVectorDescriptor deleted = InternalScanFileUtils.getDeletionVectorDescriptorFromRow(file);
    return stats.get("numRecords").asLong() - (deleted == null ? 0 : deleted.getCardinality());
  }

  private long printRows(Snapshot snapshot) throws IOException {
    List<Values.Printer> printers =
        snapshot.getSchema().fields().stream().map(f -> Values.printer(f.getDataType())).toList();
    Scan scan = snapshot.getScanBuilder().build();
    Row state = scan.getScanState(engine);
    long rows = 0;
    try (CloseableIterator<FilteredColumnarBatch> files = scan.getScanFiles(engine)) {
      while (files.hasNext()) {
        try (CloseableIterator<Row> batch = files.next().getRows()) {
          while (batch.hasNext()) rows += printFile(state, batch.next(), printers);
        }
      }
    }
    return rows;
  }

  private long printFile(Row state, Row file, List<Values.Printer> printers) throws IOException {
    StructType columns = ScanStateRow.getPhysicalDataReadSchema(state);
    var status = Utils.singletonCloseableIterator(InternalScanFileUtils.getAddFileStatus(file));
    var physical = engine.getParquetHandler().readParquetFiles(status, columns, Optional.empty()).map(FileReadResult::getData);
    long rows = 0;
    try (var logical = Scan.transformPhysicalData(engine, state, file, physical)) {
      while (logical.hasNext()) rows += printBatch(logical.next(), printers);
    }
    return rows;
  }

  private long printBatch(FilteredColumnarBatch batch, List<Values.Printer> printers) throws IOException {
    var vectors = new ColumnVector[printers.size()];
    for (int column = 0; column < vectors.length; column++) vectors[column] = batch.getData().getColumnVector(column);
    ColumnVector selected = batch.getSelectionVector().orElse(null);
    long rows = 0;
    for (int row = 0; row < batch.getData().getSize(); row++) {
      if (selected != null && (selected.isNullAt(row) || !selected.getBoolean(row))) continue;
      out.writeStartArray();
      for (int column = 0; column < vectors.length; column++) printers.get(column).print(out, vectors[column], row);
      out.writeEndArray();
      endLine();
      rows++;
    }
    return rows;
  }

  private void closeUnfinishedLine() throws IOException {
    if (out.getOutputContext().inRoot()) return;
    while (!out.getOutputContext().inRoot()) {
      if (out.getOutputContext().inArray()) out.writeEndArray();
      else out.writeEndObject();
    }
    endLine();
  }

  private void endLine() throws IOException {
    out.writeRaw('\n');
  }
}
