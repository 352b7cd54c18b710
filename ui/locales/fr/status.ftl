# Les statuts, natures et commandes en toutes lettres. Chaque identifiant dit de quoi il s’agit, puis son nom en JSON.

# Les deux colonnes de statut d’une opération. `none` est le mot du filtre ; la colonne reste vide.
transfer-none = Rien pour l’instant
transfer-ok = OK
transfer-requested = OK (demandé)
transfer-sending = envoi en cours…
transfer-failed = KO
transfer-insufficient-funds = KO (fonds insuffisants)
transfer-canceled = KO (annulé)
transfer-vendor-disabled = KO (vendeur désactivé)
transfer-payment-blocked = KO (paiement bloqué)
transfer-adjusted = OK (compensé)
transfer-invalid-amount = OK (rien à payer)
withdraw-none = Rien pour l’instant
withdraw-ok = OK
withdraw-requested = OK (demandé)
withdraw-sending = envoi en cours…
withdraw-failed = KO (échec)
withdraw-insufficient-funds = KO (fonds insuffisants)
withdraw-canceled = KO (annulé)
withdraw-vendor-disabled = KO (vendeur désactivé)
withdraw-payment-blocked = KO (paiement bloqué)
withdraw-adjusted = OK (compensé)
withdraw-invalid-amount = OK (rien à payer)

# Où en est une opération, pour son historique.
operation-created = Créée
operation-adjusted-operations = Compensée
operation-transfer-success = Virée
operation-transfer-requested = Virement demandé
operation-withdraw-requested = Retrait demandé
operation-withdraw-success = Retirée
operation-transfer-sending = Virement en cours d’envoi
operation-withdraw-sending = Retrait en cours d’envoi
operation-invalid-amount = Rien à payer
operation-transfer-vendor-disabled = Non virée : vendeur désactivé
operation-withdraw-vendor-disabled = Non retirée : vendeur désactivé
operation-withdraw-failed = Échec du retrait
operation-withdraw-canceled = Retrait annulé
operation-transfer-failed = Échec du virement
operation-transfer-negative = Non virée : fonds insuffisants
operation-withdraw-negative = Non retirée : fonds insuffisants
operation-withdraw-payment-blocked = Non retirée : paiements bloqués
operation-unknown = Statut inconnu

kind-transfer = Virement
kind-withdrawal = Retrait
beneficiary-vendor = Vendeur
beneficiary-operator = Opérateur (commission)
attempt-sending = Issue inconnue
attempt-requested = Accepté par HiPay
attempt-captured = Exécuté
attempt-refused = Refusé par HiPay
attempt-ended = Échec définitif
attempt-unknown = Inconnu

vendor-success = succès
vendor-warning = avertissement
wallet-created = créé
wallet-not-created = non créé
wallet-identified = identifié
wallet-not-identified = non identifié

# Les coordonnées bancaires, selon les numéros de HiPay.
bank-unread = pas encore lues
bank-none = aucune
bank-in-progress = validation en cours
bank-validated = validées

# Les justificatifs, selon les numéros de HiPay et ce que disent ses notifications.
document-missing = manquant
document-new = nouveau
document-waiting = en attente de validation
document-validated = validé
document-refused = refusé
document-deleted = supprimé
document-unknown = inconnu

notification-received = reçue
notification-waiting = en attente
notification-applied = traitée
notification-ignored = ignorée
notification-unmatched = sans correspondance
notification-unknown = inconnue
notification-kind-wallet = Compte HiPay
notification-kind-payment = Paiement
notification-kind-settlement = Règlement
notification-kind-unknown = Inconnue

batch-queued = en file d’attente
batch-running = en cours
batch-done = terminé
batch-partly = partiel
batch-failed = échoué
batch-interrupted = interrompu
batch-unknown = inconnu
command-vendor-process = Création des comptes HiPay
command-cashout-generate = Génération des opérations
command-cashout-transfer = Virements
command-cashout-withdraw = Retraits
command-cashout-transaction-status-sync = Synchronisation du statut des transactions

# Les paiements des clients, selon les numéros de HiPay.
outcome-accepted = accepté
outcome-pending = en attente
outcome-declined = refusé
outcome-disputed = contesté
outcome-unknown = inconnu
payment-101 = Créé
payment-103 = Porteur enrôlé
payment-104 = Porteur non enrôlé
payment-105 = Authentification indisponible
payment-106 = Porteur authentifié
payment-107 = Authentification tentée
payment-108 = Authentification impossible
payment-109 = Échec de l’authentification
payment-110 = Bloqué
payment-111 = Rejeté
payment-112 = Autorisé, en attente
payment-113 = Refusé
payment-114 = Expiré
payment-115 = Annulé
payment-116 = Autorisé
payment-117 = Capture demandée
payment-118 = Capturé
payment-119 = Partiellement capturé
payment-120 = Encaissé
payment-121 = Partiellement encaissé
payment-122 = Réglé
payment-123 = Partiellement réglé
payment-124 = Remboursement demandé
payment-125 = Remboursé
payment-126 = Partiellement remboursé
payment-129 = Impayé
payment-131 = Débité
payment-132 = Partiellement débité
payment-140 = Authentification demandée
payment-141 = Authentifié
payment-142 = Autorisation demandée
payment-143 = Autorisation annulée
payment-150 = Acquéreur trouvé
payment-151 = Acquéreur introuvable
payment-160 = Enrôlement du porteur inconnu
payment-161 = Risque accepté
payment-163 = Autorisation refusée
payment-165 = Remboursement refusé
payment-166 = Émetteur crédité
payment-173 = Capture refusée
payment-174 = En attente du terminal
payment-175 = Annulation de l’autorisation demandée
payment-200 = Paiement en attente

role-viewer = Lecture seule
role-operator = Opérateur
