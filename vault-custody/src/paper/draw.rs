//! Writes a laid out page as SVG or PDF.

use std::fmt::Write;

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str};
use vault_core::secret::SecretBytes;
use zeroize::Zeroizing;

use super::page::{Font, HEIGHT, Page, WIDTH};

/// Room for a page, so that its buffer is not moved and leaves no copy behind.
const PAGE_BYTES: usize = 256 << 10;

const FONTS: [(Font, Name<'static>, Name<'static>); 3] = [
    (Font::Plain, Name(b"F1"), Name(b"Helvetica")),
    (Font::Bold, Name(b"F2"), Name(b"Helvetica-Bold")),
    (Font::Fixed, Name(b"F3"), Name(b"Courier")),
];

pub(super) fn svg(page: &Page) -> SecretBytes {
    let mut svg = Zeroizing::new(String::with_capacity(PAGE_BYTES));
    // Writing into a string does not fail.
    let _ = write_svg(&mut svg, page);
    SecretBytes::new(std::mem::take(&mut *svg).into_bytes())
}

fn write_svg(svg: &mut String, page: &Page) -> std::fmt::Result {
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"210mm\" height=\"297mm\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n<path shape-rendering=\"crispEdges\" d=\""
    )?;
    for bar in &page.bars {
        writeln!(svg, "M{:.3} {:.3}h{:.3}v{:.3}h-{:.3}z", bar.left, bar.top, bar.width, bar.height, bar.width)?;
    }
    writeln!(svg, "\"/>")?;
    for text in &page.texts {
        let font = match text.font {
            Font::Plain => "font-family=\"Helvetica, Arial, sans-serif\"",
            Font::Bold => "font-family=\"Helvetica, Arial, sans-serif\" font-weight=\"bold\"",
            Font::Fixed => "font-family=\"Courier New, Courier, monospace\"",
        };
        let (left, baseline, size) = (text.left, text.baseline, text.size);
        write!(svg, "<text x=\"{left}\" y=\"{baseline}\" font-size=\"{size}\" xml:space=\"preserve\" {font}>")?;
        for character in text.text.chars() {
            match character {
                '&' => svg.push_str("&amp;"),
                '<' => svg.push_str("&lt;"),
                '>' => svg.push_str("&gt;"),
                other => svg.push(other),
            }
        }
        writeln!(svg, "</text>")?;
    }
    writeln!(svg, "</svg>")
}

pub(super) fn pdf(page: &Page) -> SecretBytes {
    let (catalog, pages, sheet, content) = (Ref::new(1), Ref::new(2), Ref::new(3), Ref::new(4));
    let fonts = (5..).map(Ref::new).zip(FONTS);
    let mut pdf = Pdf::with_capacity(PAGE_BYTES);
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([sheet]).count(1);
    let mut writer = pdf.page(sheet);
    writer.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(pages).contents(content);
    let mut resources = writer.resources();
    let mut named = resources.fonts();
    for (id, (_, name, _)) in fonts.clone() {
        named.pair(name, id);
    }
    named.finish();
    resources.finish();
    writer.finish();
    for (id, (_, _, base)) in fonts {
        pdf.type1_font(id).base_font(base);
    }
    let drawn = Zeroizing::new(drawn(page).finish().into_vec());
    pdf.stream(content, &drawn);
    SecretBytes::new(pdf.finish())
}

/// PDF measures from the lower left corner.
fn drawn(page: &Page) -> Content {
    let mut content = Content::with_capacity(PAGE_BYTES);
    for bar in &page.bars {
        content.rect(bar.left, HEIGHT - bar.top - bar.height, bar.width, bar.height);
    }
    content.fill_nonzero();
    for text in &page.texts {
        let name = FONTS.iter().find(|(font, ..)| *font == text.font).map_or(Name(b"F1"), |(_, name, _)| *name);
        content.begin_text();
        content.set_font(name, text.size);
        content.next_line(text.left, HEIGHT - text.baseline);
        content.show(Str(text.text.as_bytes()));
        content.end_text();
    }
    content
}
