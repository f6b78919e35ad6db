//! Plays Strimzi's user operator for one Kafka: credentials in the broker, and in a Secret.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::authority::Authority;
use super::context::Context;
use super::kafka_operator::encoded;
use super::kind::Kind;
use super::player::Dirty;
use super::refusal::Refusal;
use super::resource::{Resource, View};
use super::{services, status};
use crate::stack::{kafka_arguments, run};

const KIND: Kind = Kind::KafkaUser;

/// Where the Kafka of the users is.
pub(super) struct Place<'a> {
    pub(super) folder: &'a Path,
    pub(super) servers: String,
}

/// Gives every user its credentials. Those of a user that is gone stay in the Kafka until that goes: nobody has them.
pub(super) async fn reconcile(
    context: &Context,
    kafka: &Resource,
    place: &Place<'_>,
    dirty: &Dirty,
) -> anyhow::Result<()> {
    for user in context.resources.of(KIND, &kafka.key()) {
        if !dirty.has(KIND, &user.key().1) || user.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let status = match check(kafka, &user) {
            Ok(()) => make(context, kafka, &user, place).await?,
            Err(refusal) => status::user_failed(&user, &refusal),
        };
        context.kubernetes.write_status(KIND, &user, status).await?;
    }
    Ok(())
}

/// Access rules need a Kafka that looks at them.
fn check(kafka: &Resource, user: &Resource) -> Result<(), Refusal> {
    let has_rules = user.at("/spec/authorization").is_object();
    let is_authorized = kafka.at("/spec/kafka/authorization").is_object();
    if has_rules && !is_authorized { Err(rules_without_authorization()) } else { Ok(()) }
}

pub(super) fn rules_without_authorization() -> Refusal {
    let message = "io.strimzi.operator.common.ReconciliationException: \
                   io.strimzi.operator.common.model.InvalidResourceException: Simple authorization ACL rules are \
                   configured but not supported in the Kafka cluster configuration.";
    Refusal::new("ExecutionException", message)
}

async fn make(context: &Context, kafka: &Resource, user: &Resource, place: &Place<'_>) -> anyhow::Result<Value> {
    let (_, name) = user.key();
    match user.text("/spec/authentication/type") {
        Some("scram-sha-512") => {
            scram(context, user, place).await?;
            Ok(status::user_ready(user, &name, Some(&name)))
        }
        Some("tls") => {
            certificate(context, kafka, user, place).await?;
            Ok(status::user_ready(user, &format!("CN={name}"), Some(&name)))
        }
        Some(_) => Ok(status::user_ready(user, &format!("CN={name}"), None)),
        None => Ok(status::user_ready(user, &name, None)),
    }
}

/// A password, made once, in the user's Secret and in the broker. The broker is told again when the resource has changed.
async fn scram(context: &Context, user: &Resource, place: &Place<'_>) -> anyhow::Result<()> {
    let (namespace, name) = user.key();
    let known = context.kubernetes.secret(&namespace, &name).await?;
    let password = known.as_ref().and_then(|data| String::from_utf8(data.get("password")?.clone()).ok());
    let is_told = password.is_some() && user.observed_generation() == user.generation();
    let password = password.unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
    if !is_told {
        let mut tell = config_command(context, place, &name, &password)?;
        tokio::task::spawn_blocking(move || run(&mut tell, "it gives a user its password")).await??;
    }
    let login = format!(
        "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{name}\" password=\"{password}\";"
    );
    let data = json!({"password": encoded(&password), "sasl.jaas.config": encoded(&login)});
    context.kubernetes.apply(secret(user, &data)).await
}

/// Kafka's own tool, which reads the password from a file: other processes see arguments.
fn config_command(context: &Context, place: &Place<'_>, user: &str, password: &str) -> anyhow::Result<Command> {
    let folder = place.folder.join("users");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{user}.properties"));
    std::fs::write(&file, format!("SCRAM-SHA-512=password={password}\n"))?;
    let mut command = Command::new(&context.software.java);
    command.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]);
    command.args(kafka_arguments(&context.software, &folder)?).arg("kafka.admin.ConfigCommand");
    command.args(["--bootstrap-server", &place.servers, "--alter", "--entity-type", "users", "--entity-name", user]);
    command.arg("--add-config-file").arg(file);
    Ok(command)
}

async fn certificate(context: &Context, kafka: &Resource, user: &Resource, place: &Place<'_>) -> anyhow::Result<()> {
    let (folder, key, bind) = (place.folder.to_owned(), kafka.key(), context.options.bind);
    let name = user.key().1;
    let made = tokio::task::spawn_blocking(move || {
        let authority = Authority::of(&folder, &key, bind)?;
        let (certificate, private) = authority.user(&name)?;
        anyhow::Ok((authority.clients_ca()?, certificate, private))
    });
    let (authority, certificate, private) = made.await??;
    let data = json!({"ca.crt": encoded(&authority), "user.crt": encoded(&certificate), "user.key": encoded(&private)});
    context.kubernetes.apply(secret(user, &data)).await
}

fn secret(user: &Resource, data: &Value) -> Value {
    let mut metadata = services::metadata(KIND, user, "strimzi-user-operator", &user.key().1);
    metadata["labels"]["strimzi.io/cluster"] = user.cluster().unwrap_or_default().into();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data})
}
