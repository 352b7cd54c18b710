# Le journal.

section-logs = Journal
logs-lead = Ce que cashout a fait, et ce qu’il avait à en dire. Chaque ligne est conservée aussi longtemps que les paramètres le prévoient.
logs-level = Type d’information
logs-action = Action
logs-batch = Traitement
logs-message = Message
logs-none = Il n’y a pas encore de ligne
logs-none-next = Les lignes apparaissent dès qu’un traitement s’exécute ou que HiPay envoie une notification.
