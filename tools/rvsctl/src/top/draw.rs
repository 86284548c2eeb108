// SPDX-License-Identifier: GPL-2.0-only
//! The live view as it looks: a line on what is shown, one on dropped packets, the table, the keys.

use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Padding, Paragraph, Table};
use ratatui::Frame;

use super::state::{Row, Sort, State};
use crate::model::{Pace, ServiceWithServers};
use crate::output::number::short;

/// Headings and widths, in the order of [`Sort::ALL`]; the name has what is left.
const COLUMNS: [(&str, u16); 8] = [
    ("SERVICE / SERVER", 0),
    ("ACTIVE", 6),
    ("INACT", 6),
    ("CONN/S", 6),
    ("PKT/S IN", 8),
    ("OUT", 6),
    ("BYTE/S IN", 9),
    ("OUT", 6),
];

/// Columns that names have at least.
const NAMES: usize = 26;

const KEYS: &str = "q quit  < > r sort  / filter  s servers  space pause  + - interval  h help";

const HELP: &str = "\
q, ^C      quit
< >        sort by the column to the left, to the right
n a c b    sort by name, active connections, connections/s, bytes/s in
r          the other way round
/          only names with the text that follows; Enter keeps it,
           Esc clears it
s          without servers, or with them
space      pause, go on
+ -        more, fewer seconds between readings
up down PageUp PageDown Home End   scroll

ACTIVE and INACT are connections in use, and those that wait for their
timeout. IN is from clients to servers, OUT the replies that pass here.
A server in parentheses has weight 0 or is being drained: it gets no new
connections.

Any key goes on.";

/// What stands around the table.
pub struct Surroundings<'a> {
    /// The network namespace, if it is not the present one.
    pub netns: Option<&'a str>,
    /// The time of day.
    pub time: String,
    pub has_color: bool,
}

/// Draws everything. A position beyond the last row is put right.
pub fn draw(frame: &mut Frame<'_>, state: &mut State, pace: &Pace, around: &Surroundings<'_>) {
    let [status, drops, table, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(status_line(state, around), status);
    frame.render_widget(drops_line(pace, around), drops);
    draw_table(frame, table, state, pace);
    frame.render_widget(last_line(state), keys);
    if state.shows_help {
        draw_help(frame);
    }
}

fn bold(text: impl Into<String>) -> Span<'static> {
    Span::styled(text.into(), Modifier::BOLD)
}

fn status_line(state: &State, around: &Surroundings<'_>) -> Line<'static> {
    let mut spans = vec![bold("rvsctl top")];
    if let Some(netns) = around.netns {
        spans.push(Span::raw(format!("  in {netns}")));
    }
    spans.push(Span::raw(format!(
        "  {}  every {} s",
        around.time, state.interval
    )));
    let order = match (state.sort, state.is_ascending) {
        (Sort::Name, true) => "",
        (Sort::Name, false) => ", z first",
        (_, true) => ", smallest first",
        (_, false) => "",
    };
    spans.push(Span::raw(format!("  by {}{order}", name(state.sort))));
    if !state.filter.is_empty() && !state.is_typing {
        spans.push(Span::raw(format!("  only '{}'", state.filter)));
    }
    if state.is_paused {
        spans.push(Span::raw("  "));
        spans.push(Span::styled(" PAUSED ", Modifier::REVERSED));
    }
    Line::from(spans)
}

/// A column's name by itself.
fn name(sort: Sort) -> &'static str {
    match sort {
        Sort::Name => "name",
        Sort::Active => "active",
        Sort::Inactive => "inactive",
        Sort::Connections => "conn/s",
        Sort::PacketsIn => "pkt/s in",
        Sort::PacketsOut => "pkt/s out",
        Sort::BytesIn => "byte/s in",
        Sort::BytesOut => "byte/s out",
    }
}

fn drops_line(pace: &Pace, around: &Surroundings<'_>) -> Line<'static> {
    let mut drops: Vec<_> = pace
        .drop_rates
        .iter()
        .filter(|drop| drop.per_second > 0)
        .collect();
    if drops.is_empty() {
        return Line::from("No drops.");
    }
    drops.sort_by_key(|drop| std::cmp::Reverse(drop.per_second));
    let reasons: Vec<_> = drops
        .iter()
        .map(|drop| format!("{} {}", short(drop.per_second), drop.reason))
        .collect();
    let mut style = Style::from(Modifier::BOLD);
    if around.has_color {
        style = style.fg(Color::Red);
    }
    Line::styled(format!("Drops/s: {}", reasons.join(", ")), style)
}

fn draw_table(frame: &mut Frame<'_>, area: Rect, state: &mut State, pace: &Pace) {
    let rows = state.rows(pace);
    // The heading and the totals always stand there.
    let room = usize::from(area.height).saturating_sub(2);
    state.scroll = state.scroll.min(rows.len().saturating_sub(room));
    let figures: u16 = COLUMNS[1..].iter().map(|(_, width)| width + 1).sum();
    // As wide as the names, so that figures stand beside them; in 80 columns there is just room.
    let longest = rows.iter().map(|row| shown_name(row).chars().count()).max();
    let room_for_names = usize::from(area.width.saturating_sub(figures)).max(8);
    let width = longest.unwrap_or(0).max(NAMES).min(room_for_names);
    let heading = COLUMNS.iter().zip(Sort::ALL).map(|((heading, _), sort)| {
        let mut style = Style::from(Modifier::BOLD);
        if sort == state.sort {
            style = style.add_modifier(Modifier::REVERSED);
        }
        let alignment = match sort {
            Sort::Name => Alignment::Left,
            _ => Alignment::Right,
        };
        Cell::from(Line::styled(*heading, style).alignment(alignment))
    });
    let shown = rows.iter().skip(state.scroll).take(room);
    let lines = std::iter::once(table_row(&totals(pace), width).style(Modifier::BOLD))
        .chain(shown.map(|row| table_row(row, width)));
    let widths = std::iter::once(Constraint::Length(width as u16)).chain(
        COLUMNS[1..]
            .iter()
            .map(|(_, width)| Constraint::Length(*width)),
    );
    let table = Table::new(lines, widths)
        .header(ratatui::widgets::Row::new(heading))
        .column_spacing(1);
    frame.render_widget(table, area);
}

/// The line of all services together.
fn totals(pace: &Pace) -> Row {
    let servers = pace
        .services
        .iter()
        .flat_map(|ServiceWithServers { servers, .. }| servers);
    let (active, inactive) = servers.fold((0, 0), |(active, inactive), server| {
        (
            active + u64::from(server.active_connections),
            inactive + u64::from(server.inactive_connections),
        )
    });
    Row {
        name: format!("all, {} entries", short(pace.totals.connections)),
        is_server: false,
        is_quiesced: false,
        active,
        inactive,
        statistics: pace.totals.statistics,
    }
}

/// Servers stand further in, and in parentheses if they get nothing new; their names have their own.
fn shown_name(row: &Row) -> String {
    match (row.is_server, row.is_quiesced) {
        (true, true) => match row.name.split_once(' ') {
            Some((address, name)) => format!("  ({address}) {name}"),
            None => format!("  ({})", row.name),
        },
        (true, false) => format!("  {}", row.name),
        _ => row.name.clone(),
    }
}

fn table_row(row: &Row, width: usize) -> ratatui::widgets::Row<'static> {
    let figures = Sort::ALL[1..].iter().map(|sort| short(sort.figure(row)));
    let figures = figures.map(|it| Cell::from(Line::from(it).alignment(Alignment::Right)));
    let name = Cell::from(cut(&shown_name(row), width));
    ratatui::widgets::Row::new(std::iter::once(name).chain(figures))
}

/// A name in so many columns: what does not fit is left out of its middle, since both ends tell most.
fn cut(name: &str, width: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= width {
        return name.to_string();
    }
    let kept = width.saturating_sub(1);
    let start = &letters[..kept / 2];
    let end = &letters[letters.len() - (kept - kept / 2)..];
    let mut cut: String = start.iter().collect();
    cut.push('…');
    cut.extend(end);
    cut
}

fn last_line(state: &State) -> Line<'static> {
    if state.is_typing {
        let rest = "   Enter: keep  Esc: clear";
        return Line::from(vec![
            bold(format!("filter: {}", state.filter)),
            Span::styled(" ", Modifier::REVERSED),
            Span::raw(rest),
        ]);
    }
    Line::from(KEYS)
}

fn draw_help(frame: &mut Frame<'_>) {
    let lines = HELP.lines().count() as u16 + 2;
    let [area] = Layout::vertical([Constraint::Max(lines)])
        .flex(ratatui::layout::Flex::Center)
        .areas(frame.area());
    let [area] = Layout::horizontal([Constraint::Max(76)])
        .flex(ratatui::layout::Flex::Center)
        .areas(area);
    frame.render_widget(Clear, area);
    let block = Block::bordered()
        .title(" Keys ")
        .padding(Padding::horizontal(1));
    let help = Paragraph::new(HELP).block(block);
    frame.render_widget(help, area);
}

#[cfg(test)]
mod tests {
    use ratatui::backend::TestBackend;
    use ratatui::Terminal;

    use super::*;
    use crate::model::{Endpoint, Protocol, ServiceKey, Traffic};
    use crate::output::samples;

    fn pace() -> Pace {
        let mut pace = samples::pace();
        let rates = Traffic {
            connections: 107,
            packets_in: 12_300_000,
            packets_out: 530,
            bytes_in: 35_470,
            bytes_out: u64::MAX,
        };
        pace.services[0].service.statistics.rates = rates;
        pace.totals.statistics.rates = rates;
        pace
    }

    fn screen(width: u16, height: u16, state: &mut State, pace: &Pace) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let around = Surroundings {
            netns: Some("blue"),
            time: "14:03:22".to_string(),
            has_color: true,
        };
        terminal
            .draw(|frame| draw(frame, state, pace, &around))
            .unwrap();
        let buffer = terminal.backend().buffer().clone();
        let lines = buffer.content.chunks(usize::from(width));
        lines
            .map(|line| {
                let text: String = line.iter().map(|cell| cell.symbol()).collect();
                text.trim_end().to_string()
            })
            .collect()
    }

    #[test]
    fn everything_fits_80_columns() {
        let mut state = State::new(2, String::new());
        let expected = [
            "rvsctl top  in blue  14:03:22  every 2 s  by conn/s",
            "No drops.",
            "SERVICE / SERVER           ACTIVE  INACT CONN/S PKT/S IN    OUT BYTE/S IN    OUT",
            "all, 12 entries                36      9    107    12.3M    530     35470  18.4E",
            "tcp 192.0.2.10:80              24      6    107    12.3M    530     35470  18.4E",
            "  10.0.0.1:8080                12      3      0        0      0         0      0",
            "  (10.0.0.2:8080)              12      3      0        0      0         0      0",
            "tcp [2001:db8::10]:80          12      3      0        0      0         0      0",
            "  [2001:db8::2]:80             12      3      0        0      0         0      0",
            "udp 192.0.2.10:53               0      0      0        0      0         0      0",
            "",
            "q quit  < > r sort  / filter  s servers  space pause  + - interval  h help",
        ];
        assert_eq!(screen(80, 12, &mut state, &pace()), expected);
    }

    #[test]
    fn a_wide_terminal_gives_names_more_room_and_a_narrow_one_cuts_their_middle() {
        let mut pace = pace();
        let long: Endpoint =
            crate::parse::endpoint("[2001:db8:1111:2222:3333:4444:5555:6666]:8080").unwrap();
        pace.services[0].service.key = ServiceKey::Endpoint {
            protocol: Protocol::TCP,
            endpoint: long,
        };
        let mut state = State::new(2, String::new());
        assert!(screen(160, 12, &mut state, &pace)[4]
            .starts_with("tcp [2001:db8:1111:2222:3333:4444:5555:6666]:8080     24 "));
        assert!(screen(80, 12, &mut state, &pace)[4].starts_with("tcp [2001:db…55:6666]:8080 "));
        for width in [1, 10, 40] {
            for height in [1, 2, 5] {
                screen(width, height, &mut state, &pace);
            }
        }
    }

    #[test]
    fn names_are_shown_and_filtered_by() {
        let mut pace = pace();
        let web = &mut pace.services[0];
        web.service.identity.name = Some("web".to_string());
        web.servers[0].identity.name = Some("web1".to_string());
        web.servers[1].identity.name = Some("web2".to_string());
        let mut state = State::new(2, "web2".to_string());
        let lines = screen(80, 8, &mut state, &pace);
        assert!(
            lines[4].starts_with("tcp 192.0.2.10:80 (web) "),
            "{lines:?}"
        );
        assert!(
            lines[5].starts_with("  (10.0.0.2:8080) (web2) "),
            "{lines:?}"
        );
        assert_eq!(lines[6], "");
    }

    #[test]
    fn drops_are_told_by_reason_the_most_frequent_first() {
        let mut pace = pace();
        pace.drop_rates[0].per_second = 2;
        pace.drop_rates[1].per_second = 1_230_000;
        let mut state = State::new(2, String::new());
        let lines = screen(80, 8, &mut state, &pace);
        assert_eq!(lines[1], "Drops/s: 1.23M no-server, 2 no-memory");
    }

    #[test]
    fn scrolling_ends_at_the_last_row_and_heading_and_totals_stay() {
        let mut state = State::new(2, String::new());
        state.scroll = usize::MAX;
        let lines = screen(80, 7, &mut state, &pace());
        assert_eq!(state.scroll, 4);
        assert!(lines[3].starts_with("all, "), "{lines:?}");
        assert!(lines[5].starts_with("udp "), "{lines:?}");
    }

    #[test]
    fn filter_pause_and_help_are_shown() {
        let mut state = State::new(2, "udp".to_string());
        state.is_paused = true;
        let lines = screen(80, 12, &mut state, &pace());
        assert!(lines[0].ends_with("only 'udp'   PAUSED"), "{lines:?}");
        state.is_typing = true;
        let lines = screen(80, 12, &mut state, &pace());
        assert!(lines[11].starts_with("filter: udp"), "{lines:?}");
        state.shows_help = true;
        let lines = screen(80, 24, &mut state, &pace());
        assert!(
            lines.iter().any(|line| line.contains("Any key goes on.")),
            "{lines:?}"
        );
        for line in HELP.lines() {
            assert!(line.chars().count() <= 72, "{line}");
        }
    }
}
