# Dates, heures et nombres.

month-1 = janv.
month-2 = févr.
month-3 = mars
month-4 = avr.
month-5 = mai
month-6 = juin
month-7 = juil.
month-8 = août
month-9 = sept.
month-10 = oct.
month-11 = nov.
month-12 = déc.
date-day = { $day } { $month } { $year }
date-moment = { $date }, { $time }

relative-now = à l’instant
relative-soon = dans un instant
relative-in-minutes = dans { $count ->
    [one] une minute
   *[other] { $number } minutes
}
relative-in-hours = dans { $count ->
    [one] une heure
   *[other] { $number } heures
}
relative-in-days = dans { $count ->
    [one] un jour
   *[other] { $number } jours
}
relative-ago-minutes = il y a { $count ->
    [one] une minute
   *[other] { $number } minutes
}
relative-ago-hours = il y a { $count ->
    [one] une heure
   *[other] { $number } heures
}
relative-ago-days = il y a { $count ->
    [one] un jour
   *[other] { $number } jours
}

duration-milliseconds = { $number } ms
duration-seconds = { $number } s
duration-minutes = { $number } min
duration-hours = { $number } h
duration-days = { $number } j
