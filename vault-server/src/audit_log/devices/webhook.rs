//! Copies the log by HTTP: batches of records, one JSON object on each line (NDJSON), posted one after another.
//!
//! A status of success says that the other end has the batch. Whatever else it says, or if it says nothing, the same
//! batch comes again; two headers tell the first and the last number in it, so that whoever has it already can drop it.

use std::path::PathBuf;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Url};

use super::outbox::Batch;
use super::{DeviceRules, Doing, Sink};
use crate::alerts::read_file;
use crate::outside::http::{checked, client, describe};

/// The media type of one JSON object on each line.
const MEDIA_TYPE: &str = "application/x-ndjson";

/// Tells the number of the first record of a batch.
const FIRST: &str = "keyturn-audit-first";

/// Tells the number of the last record of a batch.
const LAST: &str = "keyturn-audit-last";

struct Webhook {
    client: Client,
    url: Url,
    authorization_file: Option<PathBuf>,
}

/// Prepares to post to an address that the settings list.
pub(super) async fn open(url: &str, rules: &DeviceRules) -> Result<Box<dyn Sink>, String> {
    let rule = rules.webhooks.iter().find(|rule| rule.url == url);
    let rule = rule.ok_or("the address is not among [[audit.devices_webhook]]")?;
    let authorities = match &rule.ca {
        Some(path) => read_file(path).await?.expose().to_owned(),
        None => String::new(),
    };
    let authorization_file = rule.authorization_file.clone();
    Ok(Box::new(Webhook { client: client(&authorities)?, url: checked(url)?, authorization_file }))
}

impl Webhook {
    /// Begins a request with the secret as the file has it now.
    async fn request(&self, method: Method) -> Result<RequestBuilder, String> {
        let mut request = self.client.request(method, self.url.clone());
        if let Some(path) = &self.authorization_file {
            let text = read_file(path).await?;
            let mut value = HeaderValue::from_str(text.expose())
                .map_err(|_| "the authorization holds characters that no header may".to_owned())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        Ok(request)
    }

    async fn post(&self, batch: &Batch) -> Result<(), String> {
        let request = self.request(Method::POST).await?.header(CONTENT_TYPE, MEDIA_TYPE);
        let request = request.header(FIRST, batch.start.number).header(LAST, batch.last());
        let response = request.body(batch.text().into_owned()).send().await;
        let status = response.map_err(|error| describe(&error.without_url()))?.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answered with status {status}")) }
    }
}

impl Sink for Webhook {
    fn write<'a>(&'a mut self, batch: &'a Batch) -> Doing<'a> {
        Box::pin(self.post(batch))
    }

    /// Asks without giving anything away; any answer shows that somebody is there whose certificate is right.
    fn probe(&mut self) -> Doing<'_> {
        Box::pin(async {
            let request = self.request(Method::OPTIONS).await?;
            request.send().await.map(drop).map_err(|error| describe(&error.without_url()))
        })
    }
}
