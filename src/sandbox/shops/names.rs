//! Invented names and real towns.

/// A town: zip code, name, country (alpha-3 and alpha-2).
pub(super) type Town = (&'static str, &'static str, &'static str, &'static str);

pub(super) const TOWNS: [Town; 17] = [
    ("59000", "Lille", "FRA", "FR"),
    ("69002", "Lyon", "FRA", "FR"),
    ("44000", "Nantes", "FRA", "FR"),
    ("1050", "Ixelles", "BEL", "BE"),
    ("33000", "Bordeaux", "FRA", "FR"),
    ("67000", "Strasbourg", "FRA", "FR"),
    ("50667", "Köln", "DEU", "DE"),
    ("42000", "Saint-Étienne", "FRA", "FR"),
    ("13006", "Marseille", "FRA", "FR"),
    ("46001", "València", "ESP", "ES"),
    ("35000", "Rennes", "FRA", "FR"),
    ("21000", "Dijon", "FRA", "FR"),
    ("50122", "Firenze", "ITA", "IT"),
    ("87000", "Limoges", "FRA", "FR"),
    ("3511 LN", "Utrecht", "NLD", "NL"),
    ("29200", "Brest", "FRA", "FR"),
    ("76600", "Le Havre", "FRA", "FR"),
];

pub(super) const SHOP_HEADS: [&str; 12] = [
    "Atelier",
    "Maison",
    "Comptoir",
    "Épicerie",
    "Fabrique",
    "Boutique",
    "Librairie",
    "Manufacture",
    "Pépinière",
    "Verrerie",
    "Sellerie",
    "Cave",
];

pub(super) const SHOP_TAILS: [&str; 17] = [
    "Nord",
    "des Lilas",
    "du Vieux Port",
    "Martel & Fils",
    "de l'Écluse",
    "Bleue",
    "des Trois Ponts",
    "Quinet",
    "du Phare",
    "Sainte-Claire",
    "des Dunes",
    "Vauban",
    "de la Garenne",
    "Corentin",
    "du Moulin",
    "Ambroise",
    "des Cordeliers",
];

pub(super) const FIRST_NAMES: [(&str, &str); 14] = [
    ("Mrs", "Camille"),
    ("Mr", "Étienne"),
    ("Mrs", "Agathe"),
    ("Mr", "Bastien"),
    ("Mrs", "Noémie"),
    ("Mr", "Joris"),
    ("Miss", "Inès"),
    ("Mr", "Matteo"),
    ("Mrs", "Greta"),
    ("Mr", "Loïc"),
    ("Mrs", "Solène"),
    ("Mr", "Álvaro"),
    ("Miss", "Maud"),
    ("Mr", "Thibault"),
];

pub(super) const LAST_NAMES: [&str; 15] = [
    "Durand",
    "Lefèvre",
    "Garnier",
    "Vandamme",
    "Rousseau",
    "O'Connell",
    "Perrin",
    "Müller",
    "Giraud",
    "Ferrer",
    "Le Goff",
    "Conti",
    "Chevalier",
    "de Vries",
    "Marchand",
];

pub(super) const STREETS: [&str; 11] = [
    "rue des Tanneurs",
    "avenue de la République",
    "quai des Belges",
    "place du Marché",
    "rue de l'Hôtel de Ville",
    "allée des Tilleuls",
    "boulevard Voltaire",
    "impasse du Four",
    "chemin des Vignes",
    "rue Haute",
    "cours Gambetta",
];

pub(super) const BANKS: [&str; 6] = [
    "Banque du Nord",
    "Crédit des Artisans",
    "Caisse de l'Ouest",
    "Banque Populaire du Rhône",
    "Société de Dépôt",
    "Banque Maritime & Coloniale",
];
