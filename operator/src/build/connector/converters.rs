//! How the connector turns an event into bytes.

use std::collections::BTreeMap;

use tributary_crds::{AvroConverter, AvroFormat};

use super::{ConnectorError, RegistryLogin};

/// JSON with schemas, for key and value.
pub(super) fn json() -> BTreeMap<String, String> {
    for_key_and_value(&[
        ("", "org.apache.kafka.connect.json.JsonConverter"),
        // Without it a number loses its scale and a time its unit.
        (".schemas.enable", "true"),
        // The default writes a column's default in place of its NULL.
        (".replace.null.with.default", "false"),
    ])
}

/// Avro in the Confluent wire format, for key and value.
pub(super) fn avro(
    format: &AvroFormat,
    login: Option<&RegistryLogin>,
) -> Result<BTreeMap<String, String>, ConnectorError> {
    let mut config = match format.converter {
        AvroConverter::Apicurio => apicurio(format, login)?,
        AvroConverter::Confluent => confluent(format, login),
    };
    // Avro names have only letters, digits and '_'.
    for key in ["schema.name.adjustment.mode", "field.name.adjustment.mode"] {
        config.insert(key.to_owned(), "avro".to_owned());
    }
    Ok(config)
}

fn apicurio(format: &AvroFormat, login: Option<&RegistryLogin>) -> Result<BTreeMap<String, String>, ConnectorError> {
    let base = format.apicurio_base().ok_or(ConnectorError::NotApicurio)?;
    let mut config = for_key_and_value(&[
        ("", "io.apicurio.registry.utils.converter.AvroConverter"),
        (".apicurio.registry.url", &base),
        (".apicurio.registry.auto-register", "true"),
        // Byte 0 and the schema's id in four bytes, as every reader of Confluent's format expects.
        (".apicurio.registry.as-confluent", "true"),
        (".apicurio.registry.use-id", "contentId"),
        // The id in the message, not in a header.
        (".apicurio.registry.headers.enabled", "false"),
    ]);
    if let Some(login) = login {
        config.extend(for_key_and_value(&[
            (".apicurio.auth.username", &login.username),
            (".apicurio.auth.password", &login.password),
        ]));
    }
    Ok(config)
}

fn confluent(format: &AvroFormat, login: Option<&RegistryLogin>) -> BTreeMap<String, String> {
    let mut config = for_key_and_value(&[
        ("", "io.confluent.connect.avro.AvroConverter"),
        (".schema.registry.url", format.confluent_base()),
        (".auto.register.schemas", "true"),
        // The default writes a column's default in place of its NULL.
        (".ignore.default.for.nullables", "true"),
    ]);
    if let Some(login) = login {
        config.extend(for_key_and_value(&[
            (".basic.auth.credentials.source", "USER_INFO"),
            (".basic.auth.user.info", &format!("{}:{}", login.username, login.password)),
        ]));
    }
    config
}

fn for_key_and_value(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
    let of = |side: &str| {
        let side = side.to_owned();
        settings.iter().map(move |(name, value)| (format!("{side}.converter{name}"), (*value).to_owned()))
    };
    of("key").chain(of("value")).collect()
}
