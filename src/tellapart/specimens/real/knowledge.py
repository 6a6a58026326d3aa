"""What the real pairs ask after: capitals of two sets of countries, and opposites."""

CAPITALS = {
    "France": "Paris", "Japan": "Tokyo", "Italy": "Rome", "Egypt": "Cairo", "Peru": "Lima", "Spain": "Madrid",
    "Russia": "Moscow", "China": "Beijing", "Germany": "Berlin", "Greece": "Athens", "Cuba": "Havana",
    "Portugal": "Lisbon", "Austria": "Vienna", "Norway": "Oslo", "Ireland": "Dublin", "Kenya": "Nairobi",
    "Thailand": "Bangkok", "Poland": "Warsaw", "Hungary": "Budapest", "Sweden": "Stockholm", "Finland": "Helsinki",
    "Denmark": "Copenhagen", "Canada": "Ottawa", "Iran": "Tehran", "Iraq": "Baghdad", "Syria": "Damascus",
    "Turkey": "Ankara", "Ukraine": "Kyiv", "Chile": "Santiago", "Mexico": "Mexico City", "Belgium": "Brussels",
    "Jordan": "Amman", "Lebanon": "Beirut", "Vietnam": "Hanoi", "Nepal": "Kathmandu", "Qatar": "Doha",
    "South Korea": "Seoul", "Indonesia": "Jakarta", "Argentina": "Buenos Aires", "Colombia": "Bogota",
    "Philippines": "Manila", "Romania": "Bucharest", "Bulgaria": "Sofia", "Serbia": "Belgrade",
    "Croatia": "Zagreb", "Iceland": "Reykjavik", "Morocco": "Rabat", "Ethiopia": "Addis Ababa",
}  # fmt: skip
"""Countries that are asked."""
OTHERS = {
    "Algeria": "Algiers", "Tunisia": "Tunis", "Libya": "Tripoli", "Ghana": "Accra", "Nigeria": "Abuja",
    "Senegal": "Dakar", "Uganda": "Kampala", "Rwanda": "Kigali", "Zambia": "Lusaka", "Zimbabwe": "Harare",
    "Angola": "Luanda", "Mali": "Bamako", "Somalia": "Mogadishu", "Sudan": "Khartoum", "Slovakia": "Bratislava",
    "Slovenia": "Ljubljana", "Estonia": "Tallinn", "Latvia": "Riga", "Lithuania": "Vilnius", "Albania": "Tirana",
    "Bolivia": "Sucre", "Ecuador": "Quito", "Venezuela": "Caracas", "Uruguay": "Montevideo",
    "Paraguay": "Asuncion", "Jamaica": "Kingston", "Haiti": "Port-au-Prince", "Panama": "Panama City",
    "Mongolia": "Ulaanbaatar", "Pakistan": "Islamabad", "India": "New Delhi", "Bangladesh": "Dhaka",
    "Afghanistan": "Kabul", "Israel": "Jerusalem", "Saudi Arabia": "Riyadh", "Oman": "Muscat",
    "Australia": "Canberra", "New Zealand": "Wellington", "Malaysia": "Kuala Lumpur", "Cambodia": "Phnom Penh",
    "Laos": "Vientiane", "Armenia": "Yerevan", "Georgia": "Tbilisi", "Azerbaijan": "Baku", "Belarus": "Minsk",
    "Moldova": "Chisinau", "Luxembourg": "Luxembourg", "Netherlands": "Amsterdam", "Switzerland": "Bern",
}  # fmt: skip
"""Countries that are trained on, where the base knows their capitals."""

_WORDS = """
    hot:cold big:small up:down day:night black:white old:young rich:poor happy:sad fast:slow light:dark
    hard:soft wet:dry high:low strong:weak full:empty open:closed early:late love:hate long:short loud:quiet
    clean:dirty good:bad left:right true:false first:last north:south east:west win:lose push:pull begin:end
    buy:sell give:take laugh:cry life:death war:peace summer:winter top:bottom inside:outside thick:thin
    near:far deep:shallow wide:narrow cheap:expensive easy:difficult tall:short sharp:dull smooth:rough
    brave:cowardly alive:dead awake:asleep sweet:bitter accept:reject arrive:depart ascend:descend
    attack:defend borrow:lend build:destroy create:destroy enter:exit floor:ceiling forget:remember
    friend:enemy front:back guilty:innocent heavy:light increase:decrease king:queen lost:found major:minor
    male:female maximum:minimum normal:abnormal possible:impossible present:absent question:answer
    receive:send right:wrong rise:fall safe:dangerous same:different simple:complex success:failure
    tight:loose victory:defeat visible:invisible above:below before:after always:never everything:nothing
    husband:wife heaven:hell
"""
OPPOSITES = [(one, other) for one, _, other in (word.partition(":") for word in _WORDS.split())]
"""A word and its opposite."""
