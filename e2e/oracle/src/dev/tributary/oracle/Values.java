package dev.tributary.oracle;

import com.fasterxml.jackson.core.JsonGenerator;
import io.delta.kernel.data.ArrayValue;
import io.delta.kernel.data.ColumnVector;
import io.delta.kernel.data.MapValue;
import io.delta.kernel.types.ArrayType;
import io.delta.kernel.types.BinaryType;
import io.delta.kernel.types.BooleanType;
import io.delta.kernel.types.ByteType;
import io.delta.kernel.types.DataType;
import io.delta.kernel.types.DateType;
import io.delta.kernel.types.DecimalType;
import io.delta.kernel.types.DoubleType;
import io.delta.kernel.types.FloatType;
import io.delta.kernel.types.IntegerType;
import io.delta.kernel.types.LongType;
import io.delta.kernel.types.MapType;
import io.delta.kernel.types.ShortType;
import io.delta.kernel.types.StringType;
import io.delta.kernel.types.StructField;
import io.delta.kernel.types.StructType;
import io.delta.kernel.types.TimestampNTZType;
import io.delta.kernel.types.TimestampType;
import java.io.IOException;
import java.util.HexFormat;

/**
 * How each Delta type is written: exactly, and without loss.
 *
 * <p>Scalars are JSON strings: integers and decimals in plain digits, floats as Java prints them (so NaN and Infinity too), dates
 * as days and timestamps as microseconds since 1970-01-01, binary as lower-case hex. Lists are arrays, structs objects, and
 * maps arrays of [key, value], because a key need not be text.
 */
final class Values {
  /** Writes the value at a row of a column. */
  interface Printer {
    void print(JsonGenerator out, ColumnVector column, int row) throws IOException;
  }

  private Values() {}

  static Printer printer(DataType type) {
    Printer present = presentPrinter(type);
    return (out, column, row) -> {
      if (column.isNullAt(row)) out.writeNull();
      else present.print(out, column, row);
    };
  }

  private static Printer presentPrinter(DataType type) {
    if (type instanceof StringType) return (out, column, row) -> out.writeString(column.getString(row));
    if (type instanceof BooleanType) return (out, column, row) -> out.writeString(Boolean.toString(column.getBoolean(row)));
    if (type instanceof ByteType) return (out, column, row) -> out.writeString(Byte.toString(column.getByte(row)));
    if (type instanceof ShortType) return (out, column, row) -> out.writeString(Short.toString(column.getShort(row)));
    if (type instanceof IntegerType || type instanceof DateType)
      return (out, column, row) -> out.writeString(Integer.toString(column.getInt(row)));
    if (type instanceof LongType || type instanceof TimestampType || type instanceof TimestampNTZType)
      return (out, column, row) -> out.writeString(Long.toString(column.getLong(row)));
    if (type instanceof FloatType) return (out, column, row) -> out.writeString(Float.toString(column.getFloat(row)));
    if (type instanceof DoubleType) return (out, column, row) -> out.writeString(Double.toString(column.getDouble(row)));
    if (type instanceof DecimalType) return (out, column, row) -> out.writeString(column.getDecimal(row).toPlainString());
    if (type instanceof BinaryType) return (out, column, row) -> out.writeString(HexFormat.of().formatHex(column.getBinary(row)));
    if (type instanceof ArrayType list) return listPrinter(list);
    if (type instanceof MapType map) return mapPrinter(map);
    if (type instanceof StructType struct) return structPrinter(struct);
    throw new IllegalArgumentException("the oracle cannot print values of type " + type);
  }

  private static Printer listPrinter(ArrayType type) {
    Printer element = printer(type.getElementType());
    return (out, column, row) -> {
      ArrayValue list = column.getArray(row);
      out.writeStartArray();
      for (int i = 0; i < list.getSize(); i++) element.print(out, list.getElements(), i);
      out.writeEndArray();
    };
  }

  private static Printer mapPrinter(MapType type) {
    Printer key = printer(type.getKeyType());
    Printer value = printer(type.getValueType());
    return (out, column, row) -> {
      MapValue map = column.getMap(row);
      out.writeStartArray();
      for (int i = 0; i < map.getSize(); i++) {
        out.writeStartArray();
        key.print(out, map.getKeys(), i);
        value.print(out, map.getValues(), i);
        out.writeEndArray();
      }
      out.writeEndArray();
    };
  }

  private static Printer structPrinter(StructType type) {
    var fields = type.fields().toArray(new StructField[0]);
    var printers = type.fields().stream().map(field -> printer(field.getDataType())).toArray(Printer[]::new);
    return (out, column, row) -> {
      out.writeStartObject();
      for (int i = 0; i < fields.length; i++) {
        out.writeFieldName(fields[i].getName());
        printers[i].print(out, column.getChild(i), row);
      }
      out.writeEndObject();
    };
  }
}
