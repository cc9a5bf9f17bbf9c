//! `--query`: parts of a message, named by dotted paths as in Python's `fedmsg.utils.dict_query`.

use meta::python::Value;

/// What to print of each message: comma-separated paths such as `msg.commit.author`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query(Vec<Vec<String>>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let mut paths: Vec<Vec<String>> = Vec::new();
        for path in text.split(',') {
            let path = path.trim().split('.').map(str::to_owned).collect();
            // Python's result is a dict by path.
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        Self(paths)
    }

    /// Each part as Python's `str`, `None` for what isn't there.
    pub(crate) fn answer(&self, message: &Value) -> String {
        let part = |path: &Vec<String>| {
            let part = path.iter().try_fold(message, |value, name| value.get(name));
            part.map_or_else(|| "None".to_owned(), Value::to_str)
        };
        self.0.iter().map(part).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(query: &str) -> String {
        let message = r#"{"i":1,"msg":{"b":{"z":1,"a":["x",null]},"text":"it's","n":2.50,"":"empty"}}"#;
        Query::parse(query).answer(&Value::load(message).unwrap())
    }

    #[test]
    fn a_path_gives_the_value_as_pythons_str() {
        assert_eq!(answer("msg.text"), "it's");
        assert_eq!(answer("msg.n"), "2.5");
        assert_eq!(answer("msg.b"), "{'z': 1, 'a': ['x', None]}");
        assert_eq!(answer("msg."), "empty");
    }

    #[test]
    fn what_is_not_there_is_none() {
        assert_eq!(answer("nothing"), "None");
        assert_eq!(answer("msg.text.deeper"), "None");
        assert_eq!(answer("msg.b.a.0"), "None");
        assert_eq!(answer(""), "None");
    }

    #[test]
    fn several_paths_are_joined_and_each_counts_once() {
        assert_eq!(answer("i, msg.text,nothing , i"), "1, it's, None");
    }
}
