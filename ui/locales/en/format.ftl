# Dates, times and numbers.

month-1 = Jan
month-2 = Feb
month-3 = Mar
month-4 = Apr
month-5 = May
month-6 = Jun
month-7 = Jul
month-8 = Aug
month-9 = Sep
month-10 = Oct
month-11 = Nov
month-12 = Dec
date-day = { $day } { $month } { $year }
date-moment = { $date }, { $time }

relative-now = just now
relative-soon = in a moment
relative-in-minutes = in { $count ->
    [one] one minute
   *[other] { $number } minutes
}
relative-in-hours = in { $count ->
    [one] one hour
   *[other] { $number } hours
}
relative-in-days = in { $count ->
    [one] one day
   *[other] { $number } days
}
relative-ago-minutes = { $count ->
    [one] one minute ago
   *[other] { $number } minutes ago
}
relative-ago-hours = { $count ->
    [one] one hour ago
   *[other] { $number } hours ago
}
relative-ago-days = { $count ->
    [one] one day ago
   *[other] { $number } days ago
}

duration-milliseconds = { $number } ms
duration-seconds = { $number } s
duration-minutes = { $number } min
duration-hours = { $number } h
duration-days = { $number } d
