//! Buckets of the stack's S3, by its plain HTTP API (`LocalStack` does not check signatures).

use std::time::Duration;

use anyhow::Context;

use super::s3::{S3_ACCESS_KEY, S3_REGION};
use super::{Addresses, Stack};

impl Stack {
    /// Creates a bucket; it is no error if it exists.
    pub async fn create_bucket(&self, name: &str) -> anyhow::Result<()> {
        request(self.addresses(), reqwest::Method::PUT, name)
            .await
            .with_context(|| format!("cannot create the bucket {name}"))
            .map(drop)
    }
}

/// The names of all buckets.
pub(super) async fn list(addresses: &Addresses) -> anyhow::Result<Vec<String>> {
    let xml = request(addresses, reqwest::Method::GET, "").await?;
    let names = xml.split("<Name>").skip(1).filter_map(|rest| rest.split_once("</Name>"));
    Ok(names.map(|(name, _)| name.to_owned()).collect())
}

async fn request(addresses: &Addresses, method: reqwest::Method, path: &str) -> anyhow::Result<String> {
    let credential = format!("AWS4-HMAC-SHA256 Credential={S3_ACCESS_KEY}/20260101/{S3_REGION}/s3/aws4_request");
    let request = reqwest::Client::new()
        .request(method, format!("{}/{path}", addresses.s3_endpoint()))
        .header("Authorization", format!("{credential}, SignedHeaders=host, Signature=0"))
        .timeout(Duration::from_secs(5));
    let answer = request.send().await?;
    let status = answer.status();
    let body = answer.text().await?;
    anyhow::ensure!(status.is_success(), "S3 answered {status}: {body}");
    Ok(body)
}
