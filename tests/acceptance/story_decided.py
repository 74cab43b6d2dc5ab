"""What the rules promise each family of the story: written down by hand, not computed."""

ACCOUNTS = {
    "anna.sorensen@post.example": {"sorensen-freja": "active"},
    "asha.iyer@mail.example": {"iyer-asha": "held shared-email"},
    "carmen@ramirez.example": {"ramirez-diego": "active"},
    "dana.price@mail.example": {"castellano-nina": "suspended authority-conflict"},
    "erin.whitfield@mail.example": {"whitfield-max": "active"},
    "family@petrov.example": {"petrov-lev": "active", "petrov-mila": "active"},
    "grace.okafor@mail.example": {"okafor-ada": "active", "okafor-ben": "active"},
    "heike@brandt.example": {"brandt-jonas": "held authority-conflict"},
    "home@dubois.example": {"dubois-lou": "active", "dubois-marc": "held shared-email"},
    "karin.lindgren@post.example": {"lindgren-elsa": "active"},
    "lucia@ferreira.example": {"ferreira-ines": "active"},
    "marco@castellano.example": {"castellano-nina": "active"},
    "mats.lindgren@post.example": {"lindgren-elsa": "active"},
    "petra.novak@work.example": {"novak-petra": "active self"},
    "petra@novak.example": {"novak-filip": "active"},
    "rosa.abernathy@mail.example": {"abernathy-june": "active", "abernathy-rosa": "active self"},
    "thandi@mbeki.example": {"mbeki-zola": "active"},
    "tom.abernathy@mail.example": {"abernathy-june": "active", "abernathy-tom": "active self"},
    "uwe@brandt.example": {"brandt-jonas": "held authority-conflict"},
    "w.boyd@mail.example": {"ramirez-diego": "held role-unknown"},
}
"""By address: each chart and where it stands; written down by hand from the rules."""
WELCOMED = {email for email, charts in ACCOUNTS.items() if any(state.startswith("active") for state in charts.values())}
FINDINGS = {
    ("authority-conflict", "brandt-jonas-father"),
    ("authority-conflict", "brandt-jonas-mother"),
    ("authority-conflict", "castellano-nina-mother"),
    ("authority-unknown", "haddad-sami-mother"),
    ("email-invalid", "moreau-theo-father"),
    ("email-mismatch", "novak-petra-relative"),
    ("email-missing", "moreau-theo-mother"),
    ("email-missing", "osei-kofi-mother"),
    ("role-unknown", "ramirez-diego-neighbor"),
    ("self-only", "osei-imani-self"),
    ("self-only", "whitfield-erin-self"),
    ("shared-email", "dubois-lou home@dubois.example"),
    ("shared-email", "dubois-marc home@dubois.example"),
    ("shared-email", "family@petrov.example"),
    ("shared-email", "iyer-asha-guardian"),
}
"""Code, and the contact or else the chart and address it is about."""
