//! Which keys hold secrets. Their tables belong to plugins, so that only their names tell.

use serde_json::{Map, Value};

use crate::{Configuration, Origin};

/// A key with one of these words in its name holds a secret,
const SECRET: [&str; 4] = ["password", "passwd", "secret", "token"];

/// unless it ends so: then it says where the secret is.
const ELSEWHERE: [&str; 3] = ["_file", "_path", "_location"];

impl Configuration {
    /// The keys whose names say that their values are secret, and where they were written.
    #[must_use]
    pub fn secrets(&self) -> Vec<(String, Origin)> {
        let mut found = Vec::new();
        collect(&mut Vec::new(), &self.tree, &mut found);
        found
            .into_iter()
            .map(|path| {
                let path: Vec<_> = path.iter().map(String::as_str).collect();
                (path.join("."), self.origins.of(&path))
            })
            .collect()
    }
}

fn collect(path: &mut Vec<String>, table: &Map<String, Value>, found: &mut Vec<Vec<String>>) {
    for (key, value) in table {
        path.push(key.clone());
        match value {
            Value::String(text) if is_secret(key) && !text.is_empty() => found.push(path.clone()),
            Value::Object(inner) => collect(path, inner, found),
            Value::Array(list) => {
                for (at, inner) in list.iter().enumerate() {
                    if let Value::Object(inner) = inner {
                        path.push(at.to_string());
                        collect(path, inner, found);
                        path.pop();
                    }
                }
            }
            _ => {}
        }
        path.pop();
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    SECRET.iter().any(|word| key.contains(word)) && !ELSEWHERE.iter().any(|end| key.ends_with(end))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::Sources;

    #[test]
    fn secrets_are_found_in_tables_and_lists_and_files_that_hold_them_are_none() {
        let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        let text = "[irc]\nserver_password = \"x\"\npassword_file = \"/etc/x\"\ntoken = \"\"\n[[bot.irc]]\nnick = \"n\"\n\
                    [[bot.irc]]\nPassword = \"y\"\n";
        file.write_all(text.as_bytes()).unwrap();
        let sources = Sources { required: vec![file.path().to_owned()], ..Sources::default() };
        let secrets = Configuration::load(&sources).unwrap().secrets();
        let at = |line| Origin::File(file.path().to_owned(), Some(line));
        assert_eq!(secrets[1], ("irc.server_password".to_owned(), at(2)));
        assert_eq!((secrets[0].0.as_str(), secrets.len()), ("bot.irc.1.Password", 2));
        assert!(matches!(&secrets[0].1, Origin::File(path, _) if path == file.path()), "{:?}", secrets[0].1);
    }
}
