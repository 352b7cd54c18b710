# Paramètres : lancer des traitements, ceux qui ont tourné, ce qui tourne ici, ce qui se règle, la mise à jour.

section-settings = Paramètres
settings-lead = Lancez des traitements à la main, vérifiez leurs résultats, et administrez cette installation.

run-title = Corriger les erreurs
run-command = Commande à lancer
run-date = Date
run-run = Lancer
run-date-lead = Pour « Création des comptes HiPay » et « Génération des opérations », vous pouvez indiquer une date à partir de laquelle les vendeurs ou les transactions sont lus chez Mirakl : le jour depuis lequel les boutiques ont été modifiées, ou le jour d’un cycle. Si vous la laissez vide :
run-empty-vendors = « Création des comptes HiPay » lit tous les vendeurs chez Mirakl ;
run-empty-generate = « Génération des opérations » lit les transactions selon les arguments de votre fichier parameters.yml.
run-viewer = Vous pouvez tout consulter. Un opérateur peut lancer des commandes.
run-no-date = Ce n’est pas une date : écrivez-la comme 2026-11-21. Rien n’a été lancé.
run-date-of-no-use = « { $command } » ne prend pas de date : laissez-la vide. Rien n’a été lancé.

batch-told-queued = « { $command } » commence dans un instant : c’est le traitement { $batch }.
batch-told-running = « { $command } » est en cours : c’est le traitement { $batch }.
batch-told-over = « { $command } » est terminé : voyez le traitement { $batch } dans la liste.
batch-told-behind = Le traitement { $batch } attend la fin du traitement { $ahead }, puis commence automatiquement.
batch-told-joined = « { $command } » était déjà en file d’attente : le traitement { $batch } s’exécute une fois pour tous ceux qui l’ont demandé.

batches-title = Traitements exécutés
batches-table = Liste des traitements exécutés
batches-refresh = Actualiser
batches-none = Aucun traitement n’a encore été exécuté
batches-none-next = Les traitements s’exécutent selon leur planification, ou par « Corriger les erreurs » ci-dessus.
batch-command = Commande
batch-asked-by = Demandé par
batch-started = Date de début
batch-ended = Fin
batch-state = Statut
batch-items = Éléments
batch-message = Message
batch-lines = Journal du traitement { $batch }
batch-progress = Avancement du traitement { $batch }
batch-done-of = { $done } sur { $total }
batch-failures = { $number ->
    [one] { $shown } en échec
   *[other] { $shown } en échec
}

machine-title = Informations techniques
machine-version = Version
machine-target = Compilé pour
machine-commit = Commit
machine-store = Base de données
machine-store-is = { $size } Kio, format { $format }
machine-uptime = En service depuis
machine-host = Hôte
machine-zone = Fuseau horaire
machine-backup = Dernière sauvegarde
machine-backup-none = aucune : cashout copie ses données avant chaque mise à jour
machine-unknown = inconnu

remotes-title = Services distants
remotes-ask = Vérifier si Mirakl et HiPay répondent
remote-there = répond
remote-away = ne répond pas
remote-silent = Aucune réponse en quatre secondes.
remote-no-account = HiPay ne connaît pas le compte technique.

schedule-title = Prochaines exécutions
schedule-expression = Planification (cron)
schedule-off = désactivé

settings-changed = Les paramètres ont été enregistrés dans le fichier et sont en vigueur.
settings-not-changed = Rien n’a été modifié.
settings-token = Jeton Github
settings-token-hint = Jeton d’accès personnel GitHub, nécessaire à la mise à jour automatique. Suivez les étapes 1 à 9 de la section « Création d’un jeton ».
settings-token-link = https://docs.github.com/fr/authentication/keeping-your-account-and-data-secure/managing-your-personal-access-tokens
settings-token-how = Comment créer un jeton GitHub
settings-token-remove = Supprimer le jeton
settings-token-wrong = Un jeton compte de 1 à 255 lettres, chiffres et signes, sans espace.
settings-is-set = défini
settings-not-set = non défini
settings-read-only = en lecture seule ici : il vient de { $source }
settings-level = Niveau minimal d’alerte
settings-level-none = aucun
settings-level-hint = Niveau à partir duquel un e-mail est envoyé à l’adresse indiquée :
settings-level-wrong = Ce niveau n’existe pas.
settings-no-recipients = aucune n’est indiquée (mail.to), donc rien n’est envoyé.
settings-save = Enregistrer
settings-viewer = Un opérateur peut modifier les paramètres.
