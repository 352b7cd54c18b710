# Le journal.

section-logs = Journal
logs-lead = Ce que cashout a fait, avec tous les avertissements et erreurs. Chaque ligne est conservée aussi longtemps que les paramètres le prévoient.
logs-level = Type d’information
logs-action = Action
logs-batch = Traitement
logs-message = Message
logs-none = Aucune ligne pour l’instant
logs-none-next = Les lignes apparaissent dès qu’un traitement s’exécute ou que HiPay envoie une notification.
