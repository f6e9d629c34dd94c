//! Pages with their structure: what stands where, and what a screen reader calls it. The result is PDF/UA-1, or an error.

use chrono::{Datelike as _, NaiveDate};
use krilla::color::rgb;
use krilla::configure::{Accessibility, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::{Path, PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::num::NormalizedF32;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule};
use krilla::surface::Surface;
use krilla::tagging::{Artifact, ArtifactType, ContentTag, Node, SpanTag, TagGroup, TagKind, TagTree};
use krilla::{Document, SerializeSettings};
use thiserror::Error;

use crate::Language;
use crate::typeface::Line;

/// Why a document could not be made.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// The text of the code is longer than a QR code holds.
    #[error("the text is too long for a QR code")]
    CodeTooLong,
    /// A size or place is impossible.
    #[error("the layout is impossible")]
    Layout,
    /// A font of this build cannot be read.
    #[error("a font cannot be read")]
    Font,
    /// It would not be an accessible PDF.
    #[error("the document is no PDF/UA-1: {0}")]
    Invalid(String),
}

/// Ink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Black,
    Grey,
    Hairline,
    Navy,
    Pale,
    Red,
    White,
}

impl Ink {
    fn fill(self) -> Fill {
        let (red, green, blue) = match self {
            Self::Black => (0x11, 0x14, 0x18),
            Self::Grey => (0x55, 0x5e, 0x6b),
            Self::Hairline => (0xd5, 0xda, 0xe1),
            Self::Navy => (0x12, 0x2d, 0x54),
            Self::Pale => (0xc9, 0xd8, 0xee),
            Self::Red => (0xc9, 0x2a, 0x2a),
            Self::White => (0xff, 0xff, 0xff),
        };
        Fill {
            paint: rgb::Color::new(red, green, blue).into(),
            opacity: NormalizedF32::ONE,
            rule: FillRule::NonZero,
        }
    }
}

/// Something drawn. Places are in points from the top left corner; of text, that of the baseline.
pub(crate) enum Mark {
    Text(Line, f32, f32, Ink),
    Shape(Path, Ink),
}

/// A part of a page, in reading order.
pub(crate) enum Part {
    /// A structure element and what is in it.
    Group(TagKind, Vec<Part>),
    /// Content of the structure element around it.
    Content(Vec<Mark>),
    /// Nothing that is read.
    Decoration(Vec<Mark>),
}

impl Part {
    pub(crate) fn group(tag: impl Into<TagKind>, marks: Vec<Mark>) -> Self {
        Self::Group(tag.into(), vec![Self::Content(marks)])
    }
}

/// What a document says of itself.
pub(crate) struct About<'a> {
    pub(crate) title: String,
    pub(crate) language: Language,
    pub(crate) author: &'a str,
    pub(crate) made_on: NaiveDate,
    /// Width and height of a page.
    pub(crate) size: (f32, f32),
}

/// A filled rectangle.
pub(crate) fn area(left: f32, top: f32, width: f32, height: f32, ink: Ink) -> Result<Mark, DocumentError> {
    let mut path = PathBuilder::new();
    path.push_rect(Rect::from_xywh(left, top, width, height).ok_or(DocumentError::Layout)?);
    Ok(Mark::Shape(path.finish().ok_or(DocumentError::Layout)?, ink))
}

/// Makes the file. The same pages give the same bytes.
pub(crate) fn render(about: &About<'_>, pages: Vec<Vec<Part>>) -> Result<Vec<u8>, DocumentError> {
    let configuration = ConfigurationBuilder::new()
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| DocumentError::Invalid(format!("{error:?}")))?;
    let mut document = Document::new_with(SerializeSettings {
        configuration,
        ..SerializeSettings::default()
    });
    document.set_metadata(metadata(about));
    let mut tree = TagTree::new().with_lang(Some(about.language.tag().to_owned()));
    let mut outline = Outline::new();
    outline.push_child(OutlineNode::new(
        about.title.clone(),
        XyzDestination::new(0, Point::from_xy(0.0, 0.0)),
    ));
    let (width, height) = about.size;
    for parts in pages {
        let settings = PageSettings::from_wh(width, height).ok_or(DocumentError::Layout)?;
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        for part in parts {
            if let Some(node) = draw(&mut surface, part)? {
                tree.push(node);
            }
        }
        surface.finish();
        page.finish();
    }
    document.set_tag_tree(tree);
    document.set_outline(outline);
    document
        .finish()
        .map_err(|error| DocumentError::Invalid(format!("{error:?}")))
}

fn metadata(about: &About<'_>) -> Metadata {
    let on = about.made_on;
    let part = |value: u32| u8::try_from(value).unwrap_or_default();
    let stamp = DateTime::new(u16::try_from(on.year()).unwrap_or_default())
        .month(part(on.month()))
        .day(part(on.day()));
    Metadata::new()
        .title(about.title.clone())
        .authors(vec![about.author.to_owned()])
        .language(about.language.tag().to_owned())
        .creation_date(stamp)
}

/// Draws a part and what is in it. Returns its place in the structure, unless it has none.
fn draw(surface: &mut Surface<'_>, part: Part) -> Result<Option<Node>, DocumentError> {
    match part {
        Part::Decoration(marks) => {
            surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)));
            draw_marks(surface, marks)?;
            surface.end_tagged();
            Ok(None)
        }
        Part::Content(marks) => {
            let id = surface.start_tagged(ContentTag::Span(SpanTag::empty()));
            draw_marks(surface, marks)?;
            surface.end_tagged();
            Ok(Some(id.into()))
        }
        Part::Group(tag, parts) => {
            let mut group = TagGroup::new(tag);
            for part in parts {
                if let Some(node) = draw(surface, part)? {
                    group.push(node);
                }
            }
            Ok(Some(group.into()))
        }
    }
}

fn draw_marks(surface: &mut Surface<'_>, marks: Vec<Mark>) -> Result<(), DocumentError> {
    for mark in marks {
        match mark {
            Mark::Shape(path, ink) => {
                surface.set_fill(Some(ink.fill()));
                surface.draw_path(&path);
            }
            Mark::Text(line, x, y, ink) => {
                let font = line.weight.font().ok_or(DocumentError::Font)?;
                surface.set_fill(Some(ink.fill()));
                let at = Point::from_xy(x, y);
                surface.draw_glyphs(at, &line.glyphs, font, &line.text, line.size, false);
            }
        }
    }
    Ok(())
}
