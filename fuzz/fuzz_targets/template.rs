//! Templates in the paths of policies: hostile templates, values and paths.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use vault_core::policy::{Acl, Ask, Capability, EntityFacts, IdentityFacts, Policy};

fn policy(path: &str, granted: &str) -> Option<Arc<Policy>> {
    let text = serde_json::json!({ "path": { path: { "capabilities": [granted] } } }).to_string();
    Policy::parse("fuzz", &text).ok().map(Arc::new)
}

fn reads(acl: &Acl, path: &str) -> bool {
    let fields = serde_json::Map::new();
    acl.allows(&Ask { path, capability: Capability::Read, fields: &fields, wrapping_ttl: None })
}

fuzz_target!(|input: (&str, &str, &str)| {
    let (written, value, path) = input;
    // Two characters stand for a template, so that mutations find it.
    let written = written.replace("$i", "{{identity.entity.id}}").replace("$n", "{{identity.entity.name}}");
    let (Some(granting), Some(denying)) = (policy(&written, "read"), policy(&written, "deny")) else { return };
    let nobody = IdentityFacts::default();
    let entity = EntityFacts { id: value.to_owned(), name: "n".to_owned(), ..EntityFacts::default() };
    let somebody = IdentityFacts { entity: Some(entity), groups: Vec::new() };

    let granted = reads(&Acl::of(&[Arc::clone(&granting)], &somebody), path);
    if granting.is_templated() {
        assert!(!reads(&Acl::of(&[Arc::clone(&granting)], &nobody), path), "an unresolved template grants");
    }
    if granted && written.contains("{{identity.entity.id}}") {
        assert!(!value.is_empty() && !value.contains(['*', '/', '{', '}']), "a harmful value was filled in");
        assert!(path.contains(value), "a value matches what it is not");
    }

    let Some(all) = policy("*", "read") else { return };
    let denied = |facts: &IdentityFacts| !reads(&Acl::of(&[Arc::clone(&all), Arc::clone(&denying)], facts), path);
    assert!(!denied(&somebody) || denied(&nobody), "an unresolved denial denies less than a resolved one");
    let both = [granting, denying];
    assert!(!reads(&Acl::of(&both, &somebody), path), "a grant outdoes the denial of the same path");
});
