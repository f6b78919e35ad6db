//! The JVM and its line protocol: a request is a line, an answer is a header line, a line per row, and a closing line.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;

use super::{Header, OracleError, Row};

/// What to print of a table.
#[derive(Clone, Copy)]
pub(super) enum Request {
    Schema,
    Count,
    Rows,
}

/// A running JVM. It ends when its standard input does, so it never outlives us, however we end.
pub(super) struct Process {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// The last line of an answer.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Closing {
    Rows(u64),
    Error(String),
}

impl Process {
    /// Starts the program that is on this class path. What its libraries unpack, they unpack into `temporary`.
    pub(super) fn start(class_path: &OsStr, temporary: &Path) -> Result<Self, OracleError> {
        let mut child = Command::new("java")
            .args(["-XX:+UseSerialGC", "-Xmx1g", "-XX:-UsePerfData"])
            .arg(format!("-Djava.io.tmpdir={}", temporary.display()))
            .arg("-cp")
            .arg(class_path)
            .arg("dev.tributary.oracle.Oracle")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| OracleError::NoJava { source })?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(OracleError::Answer("the JVM has no pipes".to_string()));
        };
        Ok(Self { child, requests, answers: BufReader::with_capacity(1 << 18, answers) })
    }

    /// Sends a request, gives the answer to `fold`, and reads what `fold` left of it.
    pub(super) fn ask<T>(
        &mut self,
        request: Request,
        directory: &Path,
        uri: &str,
        fold: impl FnOnce(Header, &mut Rows<'_>) -> Result<T, OracleError>,
    ) -> Result<T, OracleError> {
        let flag = match request {
            Request::Schema => "--schema ",
            Request::Count => "--count ",
            Request::Rows => "",
        };
        writeln!(self.requests, "{flag}{}", directory.display()).map_err(pipe)?;
        let mut rows = Rows { answers: &mut self.answers, uri, line: Vec::new(), columns: 0, end: None };
        let header = rows.header()?;
        rows.columns = header.columns.len();
        let result = fold(header, &mut rows);
        rows.finish()?;
        result
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rows of one table as they arrive.
pub struct Rows<'a> {
    answers: &'a mut BufReader<ChildStdout>,
    uri: &'a str,
    line: Vec<u8>,
    columns: usize,
    end: Option<u64>,
}

impl Rows<'_> {
    fn header(&mut self) -> Result<Header, OracleError> {
        self.next_line()?;
        match serde_json::from_slice(&self.line) {
            Ok(header) => Ok(header),
            Err(_) => Err(self.close().err().unwrap_or_else(|| OracleError::Answer("no header".to_string()))),
        }
    }

    /// Passes over the remaining rows and returns how many the table has.
    pub(super) fn finish(&mut self) -> Result<u64, OracleError> {
        while self.end.is_none() {
            self.next_line()?;
            if self.line.first() == Some(&b'{') {
                self.close()?;
            }
        }
        self.end.ok_or_else(|| OracleError::Answer("no end".to_string()))
    }

    fn next_line(&mut self) -> Result<(), OracleError> {
        self.line.clear();
        match self.answers.read_until(b'\n', &mut self.line).map_err(pipe)? {
            0 => Err(OracleError::Answer("the JVM ended; its standard error says why".to_string())),
            _ => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), OracleError> {
        match serde_json::from_slice(&self.line) {
            Ok(Closing::Rows(rows)) => {
                self.end = Some(rows);
                Ok(())
            }
            Ok(Closing::Error(reason)) => {
                self.end = Some(0);
                Err(OracleError::Table { uri: self.uri.to_string(), reason })
            }
            Err(error) => Err(OracleError::Answer(error.to_string())),
        }
    }

    fn next_row(&mut self) -> Result<Option<Row>, OracleError> {
        while self.end.is_none() {
            self.next_line()?;
            if self.line.first() == Some(&b'{') {
                self.close()?;
                break;
            }
            let row: Row = serde_json::from_slice(&self.line).map_err(|e| OracleError::Answer(e.to_string()))?;
            // A shorter row is one that the kernel failed in the middle of; the closing line says why.
            if row.len() == self.columns {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, OracleError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_row().transpose()
    }
}

fn pipe(source: std::io::Error) -> OracleError {
    OracleError::Io { what: "talk to its JVM".to_string(), source }
}
