//! The database: can rows be copied from it, and what stands in the way of the connector?

use tributary_crds::CdcReplication;
use tributary_sources::postgres::{self, Severity};

use super::{CheckLine, Finding};
use crate::settings::SourceSettings;

/// Looks at the database, with the eyes of the operator.
pub(super) async fn check(resource: &CdcReplication, source: &SourceSettings) -> Vec<CheckLine> {
    let what = format!("source {}:{}/{}", source.postgres.host, source.postgres.port, source.postgres.database);
    let found = match postgres::preflight(resource, &source.postgres, &source.credentials).await {
        Ok((_, found)) => found,
        Err(error) => vec![error.finding()],
    };
    let lines = found.iter().map(|finding| {
        let what = finding.table.as_ref().map_or_else(|| what.clone(), |table| format!("table {table}"));
        let (wrong, fix) = (finding.message.clone(), Some(finding.advice.clone()));
        CheckLine::new(
            what,
            match finding.severity {
                Severity::Error => Finding::Problem { wrong, fix },
                Severity::Warning => Finding::Warning { wrong, fix },
            },
        )
    });
    let lines: Vec<CheckLine> = lines.collect();
    if found.iter().any(|finding| finding.severity == Severity::Error) {
        return lines;
    }
    let reachable = CheckLine::new(what.clone(), Finding::Ok(format!("{} connections copy rows", source.connections)));
    std::iter::once(reachable).chain(lines).collect()
}
