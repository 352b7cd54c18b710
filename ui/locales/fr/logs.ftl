# Le journal.

section-logs = Journal
logs-lead = Ce que cashout a fait, avec tous les avertissements et erreurs. Chaque ligne est conservée aussi longtemps que les paramètres le prévoient.
logs-level = Type d’information
logs-level-from = Niveau minimal
logs-and-above = { $level } et plus grave
logs-search = Texte du message
logs-action = Action
logs-batch = Traitement
logs-message = Message
logs-none = Aucune ligne pour l’instant
logs-none-next = Les lignes apparaissent dès qu’un traitement s’exécute ou que HiPay envoie une notification.
logs-searched-part = Seule une partie de ces lignes a été parcourue. Réduisez la période, ou continuez avec « Suivant ».
