# La recherche dans toutes les données.

search-everything = Rechercher partout
search-placeholder = Rechercher (/)
search-title = Résultats de la recherche
search-lead = Meilleurs résultats pour
search-list = Rechercher dans { $section }
search-empty = Que cherchez-vous ?
search-empty-next = Une partie du nom, de l’identifiant ou de l’e-mail d’une boutique ; un ID Mirakl ou HiPay ; un bon de paiement, une facture ou un cycle de facturation ; une transaction ou une référence HiPay ; le paiement ou la commande d’un client.
search-key = La touche / donne accès à la recherche depuis toutes les pages.
search-none = Aucun résultat pour
search-none-next = Vérifiez l’orthographe ou saisissez moins de caractères. Un nom se trouve par n’importe quelle partie, un numéro par son début.
search-wrong = Ce texte ne peut pas être recherché
search-shop = Boutique { $shop }
search-wallet = ID HiPay { $wallet }
search-operation = Opération { $operation }
search-transaction = Transaction HiPay { $transaction }
search-payment = Paiement { $payment }
search-order = Commande { $order }
