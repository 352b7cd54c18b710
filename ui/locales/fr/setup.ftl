# La première mise en route, avant tout paramétrage.

setup-title = Mise en route de cashout
setup-code-lead = Cette installation n’a pas encore de paramètres. Montrez que vous administrez cette machine : saisissez le code que cashout a écrit dans son journal.
setup-code = Code du journal
setup-code-hint = Il se trouve dans les dernières lignes écrites par cashout ; avec systemd :
setup-code-go-on = Continuer
setup-code-wrong = Ce n’est pas le bon code. Un code n’ouvre cette page qu’une fois ; celui à saisir est le dernier du journal.

setup-lead = cashout vérifie auprès de Mirakl et de HiPay ce que vous saisissez, écrit son fichier de paramètres et démarre. Aucun paiement ne part avant la première exécution planifiée, et tous les autres paramètres peuvent être modifiés plus tard dans le fichier.
setup-optional = (facultatif)
setup-kept = Conservé tel que vous l’avez saisi. Laissez vide, ou saisissez-en un autre.
setup-forget = Effacer ce qui a été saisi
setup-missing = Ce champ est obligatoire.
setup-save = Vérifier et démarrer
setup-save-hint = La vérification prend quelques secondes et ne change rien chez Mirakl ni chez HiPay.
setup-insist = Enregistrer quand même
setup-findings = Résultat de la vérification
setup-findings-lead = Rien n’a encore été écrit : corrigez ce qui est signalé, ou enregistrez quand même et corrigez plus tard.
setup-wrong = à corriger
setup-well = correct
setup-not-written = Impossible d’écrire { $file } : { $problem }. Rien n’a été modifié ; corrigez cela et enregistrez de nouveau.
setup-done = cashout est prêt
setup-done-lead = Les paramètres sont dans { $file }. Le service démarre maintenant avec eux.
setup-done-next = Connectez-vous avec l’identifiant et le mot de passe du web service HiPay que vous venez de saisir. Lancez « { command-vendor-process } » et examinez le résultat avant l’échéance du premier paiement.
setup-done-go-on = Vers le tableau de bord

setup-mirakl = Mirakl
setup-mirakl-baseUrl = Adresse de Mirakl
setup-mirakl-baseUrl-hint = Celle où vos équipes ouvrent Mirakl, par exemple https://marketplace.example.com.
setup-mirakl-operatorKey = Clé d’API de l’opérateur
setup-mirakl-operatorKey-hint = Dans le back-office de Mirakl. Cette clé, ou l’un des deux moyens suivants.
setup-mirakl-bearerToken = Jeton Bearer
setup-mirakl-bearerToken-hint = À la place de la clé, si votre Mirakl attend « Authorization: Bearer ».
setup-mirakl-clientId = Client OAuth2
setup-mirakl-clientId-hint = À la place des deux : l’identifiant du client, avec son secret.
setup-mirakl-clientSecret = Secret OAuth2
setup-mirakl-clientSecret-hint = Le secret de ce client.

setup-hipay = HiPay
setup-hipay-baseRestUrl = Adresse de HiPay
setup-hipay-baseRestUrl-hint = La plateforme réelle de HiPay, ou celle de test, où l’argent ne bouge pas.
setup-hipay-wsLogin = Identifiant du web service
setup-hipay-wsLogin-hint = Celui du compte technique. Il ouvre aussi le tableau de bord.
setup-hipay-wsPassword = Mot de passe du web service
setup-hipay-wsPassword-hint = Celui du même compte.
setup-hipay-entity = Entité
setup-hipay-entity-hint = Donnée par HiPay ; les comptes des vendeurs en font partie.
setup-hipay-merchantGroupId = Groupe marchand
setup-hipay-merchantGroupId-hint = Donné par HiPay avec l’entité.
setup-hipay-enterprise-passphrase = Phrase secrète de HiPay Enterprise
setup-hipay-enterprise-passphrase-hint = Elle signe les notifications de paiement ; sans elle, celles-ci sont refusées.

setup-accounts = Vos comptes chez HiPay
setup-account-technical-email = Compte technique : e-mail
setup-account-technical-email-hint = Tout l’argent des ventes arrive sur ce compte.
setup-account-technical-hipayId = Compte technique : ID HiPay
setup-account-technical-hipayId-hint = Un nombre entier.
setup-account-operator-email = Compte de l’opérateur : e-mail
setup-account-operator-email-hint = Vos commissions sont versées sur ce compte.
setup-account-operator-hipayId = Compte de l’opérateur : ID HiPay
setup-account-operator-hipayId-hint = Un nombre entier.

setup-payments = Paiements
setup-hipay-timezone = Fuseau horaire
setup-hipay-timezone-hint = Celui des cycles, des planifications et de toutes les dates affichées.
setup-cashout-firstCycle = Premier cycle à payer
setup-cashout-firstCycle-hint = Les cycles antérieurs ont été payés par votre système précédent. Vide : le jour du premier traitement.

setup-service = Ce service
setup-server-publicUrl = Adresse publique
setup-server-publicUrl-hint = Celle par laquelle HiPay et vos équipes l’atteignent, par exemple https://cashout.example.com. Les notifications de HiPay en ont besoin.
