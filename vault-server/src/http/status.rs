//! The one mapping from refusals to HTTP status codes.

use http::StatusCode;
use vault_core::refusal::Class;

/// Gives the status code of a refusal.
pub(super) const fn of(class: Class) -> StatusCode {
    match class {
        Class::Invalid => StatusCode::BAD_REQUEST,
        Class::Denied => StatusCode::FORBIDDEN,
        Class::Missing => StatusCode::NOT_FOUND,
        Class::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
        Class::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Class::Busy => StatusCode::TOO_MANY_REQUESTS,
        Class::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Class::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
