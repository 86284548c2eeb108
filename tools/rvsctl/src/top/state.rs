// SPDX-License-Identifier: GPL-2.0-only
//! What the live view shows of the figures, and how keys change that.

use std::cmp::Ordering;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::model::{Pace, Server, Service, ServiceWithServers, Statistics};
use crate::output::services::{server_title, title};

/// By what the rows are sorted: a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Name,
    Active,
    Inactive,
    Connections,
    PacketsIn,
    PacketsOut,
    BytesIn,
    BytesOut,
}

impl Sort {
    /// In the order of the columns.
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::Active,
        Self::Inactive,
        Self::Connections,
        Self::PacketsIn,
        Self::PacketsOut,
        Self::BytesIn,
        Self::BytesOut,
    ];

    fn step(self, by: isize) -> Self {
        let count = Self::ALL.len() as isize;
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0) as isize;
        Self::ALL[(at + by).rem_euclid(count) as usize]
    }

    /// The figure of a row that the column shows.
    pub fn figure(self, row: &Row) -> u64 {
        match self {
            Self::Name => 0,
            Self::Active => row.active,
            Self::Inactive => row.inactive,
            Self::Connections => row.statistics.rates.connections,
            Self::PacketsIn => row.statistics.rates.packets_in,
            Self::PacketsOut => row.statistics.rates.packets_out,
            Self::BytesIn => row.statistics.rates.bytes_in,
            Self::BytesOut => row.statistics.rates.bytes_out,
        }
    }
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub name: String,
    pub is_server: bool,
    /// Weight 0, or being drained: it gets no new connections.
    pub is_quiesced: bool,
    pub active: u64,
    pub inactive: u64,
    pub statistics: Statistics,
}

impl Row {
    fn of_service(service: &Service, servers: &[Server]) -> Self {
        let sum = |count: fn(&Server) -> u32| servers.iter().map(|it| u64::from(count(it))).sum();
        Self {
            name: title(service),
            is_server: false,
            is_quiesced: false,
            active: sum(|server| server.active_connections),
            inactive: sum(|server| server.inactive_connections),
            statistics: service.statistics,
        }
    }

    fn of_server(server: &Server) -> Self {
        Self {
            name: server_title(server),
            is_server: true,
            is_quiesced: server.weight == 0 || server.draining.is_some(),
            active: server.active_connections.into(),
            inactive: server.inactive_connections.into(),
            statistics: server.statistics,
        }
    }
}

/// What a key asks for besides a change of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Nothing,
    Quit,
    /// Other seconds between readings, or going on after a pause.
    Refresh,
}

/// The view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub sort: Sort,
    /// Smallest first; names run from a to z then.
    pub is_ascending: bool,
    pub shows_servers: bool,
    pub shows_help: bool,
    pub is_paused: bool,
    /// Rows whose names have this text.
    pub filter: String,
    /// The filter is being typed.
    pub is_typing: bool,
    /// Rows above the screen.
    pub scroll: usize,
    /// Seconds between readings.
    pub interval: u64,
}

/// Longest time between two readings, seconds.
const LONGEST: u64 = 60;
/// Rows that a page key goes by.
const PAGE: usize = 10;

impl State {
    pub fn new(interval: u64, filter: String) -> Self {
        Self {
            sort: Sort::Connections,
            is_ascending: false,
            shows_servers: true,
            shows_help: false,
            is_paused: false,
            filter,
            is_typing: false,
            scroll: 0,
            interval: interval.clamp(1, LONGEST),
        }
    }

    /// The rows to show, in order: services, and below each its servers. A service is shown if its name
    /// has the filter's text, then with all servers, or with those servers whose names have it.
    pub fn rows(&self, pace: &Pace) -> Vec<Row> {
        let mut services: Vec<_> = pace
            .services
            .iter()
            .filter_map(|it| self.group(it))
            .collect();
        services.sort_by(|(a, _), (b, _)| self.order(a, b));
        let mut rows = Vec::new();
        for (service, mut servers) in services {
            rows.push(service);
            if self.shows_servers {
                servers.sort_by(|a, b| self.order(a, b));
                rows.append(&mut servers);
            }
        }
        rows
    }

    fn group(&self, found: &ServiceWithServers) -> Option<(Row, Vec<Row>)> {
        let ServiceWithServers { service, servers } = found;
        let row = Row::of_service(service, servers);
        let is_named = self.has_filter(&row.name);
        let servers: Vec<_> = servers
            .iter()
            .map(Row::of_server)
            .filter(|server| is_named || self.has_filter(&server.name))
            .collect();
        (is_named || !servers.is_empty()).then_some((row, servers))
    }

    fn has_filter(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }

    /// Equal figures are in order of packets, then of names, so that rows do not jump about.
    fn order(&self, a: &Row, b: &Row) -> Ordering {
        let figures = self.sort.figure(a).cmp(&self.sort.figure(b));
        let is_by_name = self.sort == Sort::Name;
        let figures = if self.is_ascending {
            figures
        } else {
            figures.reverse()
        };
        let names = a.name.cmp(&b.name);
        let names = if is_by_name && !self.is_ascending {
            names.reverse()
        } else {
            names
        };
        let packets = Sort::PacketsIn.figure(b).cmp(&Sort::PacketsIn.figure(a));
        let packets = if is_by_name { Ordering::Equal } else { packets };
        figures.then(packets).then(names)
    }

    /// Does what a key says.
    pub fn key(&mut self, key: KeyEvent) -> Wish {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Wish::Quit,
                _ => Wish::Nothing,
            };
        }
        if self.is_typing {
            self.type_filter(key.code);
            return Wish::Nothing;
        }
        if self.shows_help && key.code != KeyCode::Char('q') {
            self.shows_help = false;
            return Wish::Nothing;
        }
        self.command(key.code)
    }

    fn command(&mut self, key: KeyCode) -> Wish {
        match key {
            KeyCode::Char('q') => return Wish::Quit,
            KeyCode::Char('h' | '?') => self.shows_help = true,
            KeyCode::Char(' ' | 'p') => {
                self.is_paused = !self.is_paused;
                return Wish::Refresh;
            }
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('s') => self.shows_servers = !self.shows_servers,
            KeyCode::Char('r') => self.is_ascending = !self.is_ascending,
            KeyCode::Char('<') | KeyCode::Left => self.sort_by(self.sort.step(-1)),
            KeyCode::Char('>') | KeyCode::Right => self.sort_by(self.sort.step(1)),
            KeyCode::Char('n') => self.sort_by(Sort::Name),
            KeyCode::Char('a') => self.sort_by(Sort::Active),
            KeyCode::Char('c') => self.sort_by(Sort::Connections),
            KeyCode::Char('b') => self.sort_by(Sort::BytesIn),
            KeyCode::Char('+') => return self.set_interval(self.interval + 1),
            KeyCode::Char('-') => return self.set_interval(self.interval.saturating_sub(1)),
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.scroll += 1,
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(PAGE),
            KeyCode::PageDown => self.scroll += PAGE,
            KeyCode::Home => self.scroll = 0,
            KeyCode::End => self.scroll = usize::MAX,
            _ => {}
        }
        Wish::Nothing
    }

    fn set_interval(&mut self, seconds: u64) -> Wish {
        self.interval = seconds.clamp(1, LONGEST);
        Wish::Refresh
    }

    /// Names begin with a, figures with the largest.
    fn sort_by(&mut self, sort: Sort) {
        self.sort = sort;
        self.is_ascending = sort == Sort::Name;
    }

    fn type_filter(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.filter.clear();
                self.is_typing = false;
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(c) => self.filter.push(c),
            _ => {}
        }
        self.scroll = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples;

    fn pace() -> Pace {
        let mut pace = samples::pace();
        for (rate, found) in [30, 10, 20].into_iter().zip(&mut pace.services) {
            found.service.statistics.rates.connections = rate;
            for (rate, server) in (1..).zip(&mut found.servers) {
                server.statistics.rates.connections = rate;
            }
        }
        pace
    }

    fn names(state: &State) -> Vec<String> {
        state
            .rows(&pace())
            .into_iter()
            .map(|row| row.name)
            .collect()
    }

    fn state(keys: &str) -> State {
        let mut state = State::new(2, String::new());
        for key in keys.chars() {
            let code = match key {
                '\n' => KeyCode::Enter,
                '\x1b' => KeyCode::Esc,
                '\x08' => KeyCode::Backspace,
                other => KeyCode::Char(other),
            };
            state.key(code.into());
        }
        state
    }

    const WEB: &str = "tcp 192.0.2.10:80";
    const DNS: &str = "udp 192.0.2.10:53";
    const SIX: &str = "tcp [2001:db8::10]:80";

    #[test]
    fn services_and_within_them_servers_are_sorted_by_the_column_chosen() {
        let busiest = [
            WEB,
            "10.0.0.2:8080",
            "10.0.0.1:8080",
            SIX,
            "[2001:db8::2]:80",
            DNS,
        ];
        assert_eq!(names(&state("")), busiest);
        assert_eq!(names(&state("s")), [WEB, SIX, DNS]);
        assert_eq!(names(&state("sr")), [DNS, SIX, WEB]);
        assert_eq!(names(&state("sn")), [WEB, SIX, DNS]);
        assert_eq!(names(&state("snr")), [DNS, SIX, WEB]);
        assert_eq!(state("<").sort, Sort::Inactive);
        assert_eq!(state(">>>>>").sort, Sort::Name);
    }

    #[test]
    fn the_filter_is_typed_and_keeps_services_and_servers_whose_names_have_it() {
        assert_eq!(names(&state("/udp\n")), [DNS]);
        assert_eq!(names(&state("/0.0.2\n")), [WEB, "10.0.0.2:8080"]);
        assert_eq!(names(&state("/q\n")), [""; 0]);
        assert_eq!(names(&state("/udpx\x08\n")), [DNS]);
        assert_eq!(names(&state("s/udp\x1b")).len(), 3);
        assert_eq!(names(&state("s/udp\n\x1b")).len(), 3);
    }

    #[test]
    fn keys_end_it_pause_it_and_change_the_interval() {
        let mut state = state("");
        assert_eq!(state.key(KeyCode::Char('q').into()), Wish::Quit);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(state.key(interrupt), Wish::Quit);
        assert_eq!(state.key(KeyCode::Char(' ').into()), Wish::Refresh);
        assert!(state.is_paused);
        for _ in 0..5 {
            state.key(KeyCode::Char('-').into());
        }
        assert_eq!(state.interval, 1);
        assert_eq!(state.key(KeyCode::Char('+').into()), Wish::Refresh);
        assert_eq!(state.interval, 2);
    }

    #[test]
    fn help_comes_and_goes_with_any_key() {
        assert!(state("h").shows_help);
        assert!(!state("hx").shows_help);
        let mut state = state("h");
        assert_eq!(state.key(KeyCode::Char('q').into()), Wish::Quit);
    }
}
