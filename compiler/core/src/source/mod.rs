//! Source files, byte spans and lines.

/// A file of a [`SourceTree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

impl FileId {
    /// Zero-based position in the tree.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Half-open range of byte offsets in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte; not less than `start`.
    pub end: u32,
}

/// One text file: source, `flowc.toml`.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path relative to the root of the tree, with `/`; see [`SourceTree::shown_path`] for what people are shown.
    pub path: String,
    /// The text, UTF-8.
    pub text: String,
    /// Byte offset at which each line starts; the first is 0.
    line_starts: Vec<u32>,
    /// It is the value of an option of the command line, and lies below no folder.
    is_option: bool,
}

/// A position for people: 1-based line, 1-based column counted in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
}

impl SourceFile {
    fn new(path: String, text: String) -> Self {
        let starts = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| at as u32 + 1);
        let line_starts = std::iter::once(0).chain(starts).collect();
        Self {
            path,
            text,
            line_starts,
            is_option: false,
        }
    }

    /// Line and column of a byte offset.
    pub fn position(&self, offset: u32) -> LineColumn {
        let line = self
            .line_starts
            .partition_point(|start| *start <= offset)
            .max(1);
        let start = self.line_starts[line - 1] as usize;
        let end = (offset as usize).min(self.text.len());
        let column = self
            .text
            .get(start..end)
            .map_or(0, |text| text.chars().count());
        LineColumn {
            line: line as u32,
            column: column as u32 + 1,
        }
    }
}

/// The files that one compilation reads, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct SourceTree {
    files: Vec<SourceFile>,
    shown_below: String,
}

impl SourceTree {
    /// Adds a file; a text longer than 4 GiB is cut short by the caller's refusal, not here.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) -> FileId {
        self.files.push(SourceFile::new(path.into(), text.into()));
        FileId(self.files.len() as u32 - 1)
    }

    /// Adds the value of an option as if it were a file called like the option, so that findings can be shown in it.
    pub fn add_option(&mut self, name: &str, value: &str) -> FileId {
        let file = self.add(name, value);
        self.files[file.index()].is_option = true;
        file
    }

    /// The file behind an id of this tree.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.index()]
    }

    /// All files with their ids.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files
            .iter()
            .enumerate()
            .map(|(index, file)| (FileId(index as u32), file))
    }

    /// Sets what is put before every path that people are shown, as in `flows/`; it reaches no bundle.
    pub fn show_below(&mut self, prefix: impl Into<String>) {
        self.shown_below = prefix.into();
    }

    /// Path of a file as people know it: what they typed, not what the root of the tree makes of it.
    pub fn shown_path(&self, id: FileId) -> String {
        let file = self.file(id);
        if file.is_option {
            return file.path.clone();
        }
        format!("{}{}", self.shown_below, file.path)
    }

    /// The text that a span covers.
    pub fn text(&self, span: Span) -> &str {
        self.file(span.file)
            .text
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// Line and column at which a span starts.
    pub fn position(&self, span: Span) -> LineColumn {
        self.file(span.file).position(span.start)
    }
}
