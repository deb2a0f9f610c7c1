//! The search for the next time that matches.

use super::{
    Field, Fields,
    zone::{Clock, Zone},
};

/// The search, at a time from which on none was passed over.
struct Search<'a> {
    fields: &'a Fields,
    zone: &'a Zone,
    /// In seconds since 1970.
    at: i64,
    /// Whether it has moved: then the smaller parts are at their beginnings.
    moved: bool,
}

/// The first time after this one that matches, in seconds since 1970; `None` where there is none
/// within five years.
pub(super) fn next(fields: &Fields, zone: &Zone, after: i64) -> Option<i64> {
    let Fields { minute, hour, day, month, weekday } = fields;
    if [minute, hour, month].iter().any(|field| field.bits == 0) || day.bits | weekday.bits == 0 {
        return None;
    }
    let mut search = Search { fields, zone, at: after.checked_add(1)?, moved: false };
    let last_year = search.clock().year + 5;
    while search.clock().year <= last_year {
        if search.month() && search.day() && search.hour() && search.minute() && search.second() {
            return Some(search.at);
        }
    }
    None
}

/// Each step moves on until its part matches; `false` where a larger part has changed by that.
impl Search<'_> {
    fn clock(&self) -> Clock {
        self.zone.clock(self.at)
    }

    fn begin(&mut self, begin: impl FnOnce(&Self) -> i64) {
        if !self.moved {
            self.moved = true;
            self.at = begin(self);
        }
    }

    fn month(&mut self) -> bool {
        while !self.fields.month.has(self.clock().month) {
            self.begin(|search| {
                let Clock { year, month, .. } = search.clock();
                search.zone.unix(&midnight(year, month, 1))
            });
            let clock = self.clock();
            self.at = self.zone.unix(&Clock { month: clock.month + 1, ..clock });
            if self.clock().month == 1 {
                return false;
            }
        }
        true
    }

    fn day(&mut self) -> bool {
        while !self.matches_day() {
            self.begin(|search| {
                let Clock { year, month, day, .. } = search.clock();
                search.zone.unix(&midnight(year, month, day))
            });
            let clock = self.clock();
            let next = self.zone.unix(&Clock { day: clock.day + 1, ..clock });
            // A day that a zone left out, such as the 30th of December 2011 in Samoa, leads back to
            // the day before it.
            self.at = if next > self.at { next } else { self.at + 86_400 };
            // Where the clocks change at midnight.
            match self.clock().hour {
                0 => {}
                late @ 13.. => self.at += (24 - late) * 3_600,
                early => self.at -= early * 3_600,
            }
            if self.clock().day == 1 {
                return false;
            }
        }
        true
    }

    /// Day and weekday both, where one of them is a star; else one of them is enough.
    fn matches_day(&self) -> bool {
        let Clock { day, weekday, .. } = self.clock();
        let Fields { day: days, weekday: weekdays, .. } = self.fields;
        let matches = [days.has(day), weekdays.has(weekday)];
        match days.star || weekdays.star {
            true => matches == [true; 2],
            false => matches != [false; 2],
        }
    }

    fn hour(&mut self) -> bool {
        self.climb(
            3_600,
            self.fields.hour,
            |clock| clock.hour,
            |search| {
                let clock = search.clock();
                search.zone.unix(&Clock { minute: 0, second: 0, ..clock })
            },
        )
    }

    fn minute(&mut self) -> bool {
        self.climb(
            60,
            self.fields.minute,
            |clock| clock.minute,
            |search| search.at - search.at.rem_euclid(60),
        )
    }

    fn second(&mut self) -> bool {
        const FIRST: Field = Field { bits: 1, star: false };
        self.climb(1, FIRST, |clock| clock.second, |search| search.at)
    }

    /// Steps of so many seconds until the part matches.
    fn climb(
        &mut self,
        step: i64,
        field: Field,
        part: fn(&Clock) -> i64,
        begin: impl Fn(&Self) -> i64,
    ) -> bool {
        while !field.has(part(&self.clock())) {
            self.begin(&begin);
            self.at += step;
            if part(&self.clock()) == 0 {
                return false;
            }
        }
        true
    }
}

const fn midnight(year: i64, month: i64, day: i64) -> Clock {
    Clock { year, month, day, weekday: 0, hour: 0, minute: 0, second: 0 }
}
