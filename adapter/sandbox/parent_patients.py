"""The demo's parents who are patients themselves: the portal FAQ's hardest case, in its variants."""

from datetime import date

from adapter.sandbox.charts import Family, born, contact, patient


def _only_a_self_row(today: date) -> Family:
    birth_date = born(today, 29)
    imani = patient("osei-imani", "Imani Osei", birth_date, "female", email="imani.osei@mail.example")
    kofi = patient("osei-kofi", "Kofi Osei", born(today, 1), "male")
    return Family(
        "Osei",
        "only a Self row has her e-mail",
        "A mother who is a patient herself gets no Welcome email: only the Self row in her own chart has her address.",
        [
            imani,
            kofi,
            contact(imani, "self", "Imani Osei", "Self", "joint", "imani.osei@mail.example", birth_date),
            contact(kofi, "mother", "Imani Osei", "Mother", "joint", None, birth_date),
        ],
    )


def _parent_listed_as_self(today: date) -> Family:
    birth_date = born(today, 34)
    erin = patient("whitfield-erin", "Erin Whitfield", birth_date, "female", email="erin.whitfield@mail.example")
    max_ = patient("whitfield-max", "Max Whitfield", born(today, 2), "male")
    return Family(
        "Whitfield",
        "Mother there, Self in her own",
        "A mother who is a patient herself: her own chart has only a Self row, so it stays closed to her.",
        [
            erin,
            max_,
            contact(erin, "self", "Erin Whitfield", "Self", "joint", "erin.whitfield@mail.example", birth_date),
            contact(max_, "mother", "Erin Whitfield", "Mother", "joint", "erin.whitfield@mail.example", birth_date),
        ],
    )


def _parents_who_are_patients(today: date) -> Family:
    hers, his = born(today, 31), born(today, 33)
    rosa = patient("abernathy-rosa", "Rosa Abernathy", hers, "female", email="rosa.abernathy@mail.example")
    tom = patient("abernathy-tom", "Tom Abernathy", his, "male", email="tom.abernathy@mail.example")
    june = patient("abernathy-june", "June Abernathy", born(today, 1), "female")
    return Family(
        "Abernathy",
        "parents who are patients",
        "Two parents who are patients: Other Relative stands beside Self in her chart and instead of Self in his.",
        [
            rosa,
            tom,
            june,
            contact(rosa, "self", "Rosa Abernathy", "Self", "joint", "rosa.abernathy@mail.example", hers),
            contact(rosa, "relative", "Rosa Abernathy", "Other Relative", "joint", "rosa.abernathy@mail.example", hers),
            contact(tom, "self", "Tom Abernathy", "Other Relative", "joint", "tom.abernathy@mail.example", his),
            contact(june, "mother", "Rosa Abernathy", "Mother", "joint", "rosa.abernathy@mail.example", hers),
            contact(june, "father", "Tom Abernathy", "Father", "joint", "tom.abernathy@mail.example", his),
        ],
    )


def _two_addresses(today: date) -> Family:
    birth_date = born(today, 38)
    petra = patient("novak-petra", "Petra Novak", birth_date, "female", email="petra.novak@work.example")
    filip = patient("novak-filip", "Filip Novak", born(today, 10), "male")
    return Family(
        "Novak",
        "one mother, two addresses",
        "A mother who is a patient herself has one address in her own chart and another one in her son's.",
        [
            petra,
            filip,
            contact(
                petra, "relative", "Petra Novak", "Other Relative", "joint", "petra.novak@work.example", birth_date
            ),
            contact(filip, "mother", "Petra Novak", "Mother", "joint", "petra@novak.example", birth_date),
        ],
    )


FAMILIES = (_only_a_self_row, _parent_listed_as_self, _parents_who_are_patients, _two_addresses)
