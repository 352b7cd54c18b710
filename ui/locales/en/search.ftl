# The search over everything.

search-everything = Search everything
search-placeholder = Search (/)
search-title = Search results
search-lead = Closest matches for
search-list = Search in { $section }
search-empty = What are you looking for?
search-empty-next = A part of a shop’s name, login or e-mail; a Mirakl ID or HiPay ID; a payment order, invoice or billing cycle; a HiPay transaction or reference; a customer’s payment or order.
search-key = The key / leads to the search from every page.
search-none = Nothing found for
search-none-next = Check the spelling or enter less of it. Names are found by any part, numbers by their beginning.
search-wrong = This text cannot be searched for
search-shop = Shop { $shop }
search-wallet = HiPay ID { $wallet }
search-operation = Operation { $operation }
search-transaction = HiPay transaction { $transaction }
search-payment = Payment { $payment }
search-order = Order { $order }
