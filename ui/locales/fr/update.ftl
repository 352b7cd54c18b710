# La mise à jour : pourquoi elle est impossible, et comment y remédier.

update-cannot-no-repository = Aucun dépôt de versions n’est configuré : renseignez « update.repository » (propriétaire/nom) dans parameters.yml.
update-cannot-no-token = Aucun jeton GitHub n’est renseigné : saisissez-en un sous « Jeton Github » dans les paramètres.
update-cannot-token-refused = GitHub refuse le jeton : il a expiré ou a été révoqué ; créez-en un nouveau sur GitHub et saisissez-le sous « Jeton Github » dans les paramètres.
update-cannot-not-found = GitHub ne montre aucun dépôt { $repository } à ce jeton : vérifiez « update.repository » et que le jeton a le droit de lire le contenu de ce dépôt.
update-cannot-forbidden = GitHub ne laisse pas ce jeton lire { $repository } et indique « { $words } » : adressez-vous au responsable du dépôt sur GitHub.
update-cannot-limit-reached = La limite d’appels de GitHub est atteinte : le prochain appel est permis le { $until } ; d’ici là, il n’y a rien à faire.
update-cannot-no-asset = La version { $version } n’a pas encore de fichier pour cette machine ({ $target }) : vérifiez plus tard, ou adressez-vous à l’éditeur.
update-cannot-unreachable = GitHub est injoignable ({ $detail }) : vérifiez le réseau de cette machine et « update.apiUrl ».
update-cannot-failed = GitHub ne répond pas correctement ({ $detail }) : réessayez plus tard.
update-cannot-too-large = { $name } dépasse la taille permise pour une version ({ $most } Mio) et n’est pas téléchargé : adressez-vous à l’éditeur.
update-cannot-no-room = L’espace manque dans { $folder } : une mise à jour demande { $needed } Mio et { $free } Mio sont libres ; libérez de l’espace et réessayez.
update-cannot-not-as-told = { $name } n’est pas le fichier annoncé par GitHub et a été supprimé : réessayez et, si cela se reproduit, adressez-vous à l’éditeur.
update-cannot-broken = Le téléchargement s’est interrompu { $tries } fois ({ $detail }) : vérifiez le réseau de cette machine et réessayez.
update-cannot-folder = Le téléchargement ne peut pas être conservé : { $detail } ; donnez au service le droit d’y écrire et réessayez.
update-cannot-busy = La version { $version } est en cours de téléchargement : attendez la fin de celui-ci.
update-cannot-stopping = Le programme s’arrête : réessayez quand il sera de retour.
update-cannot-unknown = Une version plus récente a noté une raison que celle-ci ne connaît pas : relancez la vérification.
update-cannot-not-offered = GitHub ne propose aucune version plus récente { $wanted } : relancez la vérification ou choisissez une version proposée.
update-cannot-no-guard = Ce processus n’a pas de gardien qui puisse le remplacer ({ $detail }) : démarrez-le avec `cashout serve`.
