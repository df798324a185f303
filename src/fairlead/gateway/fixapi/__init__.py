"""The FIX API (wire contract section 5): Request, Reply and Report ⇄ FIX messages.

words      FIX's tags and letters for our words; where an order stands (39), why a report exists (150)
asking     a message in → what it asks for, or why it cannot be taken
telling    orders, reports and refusals → the bodies of messages out
"""
