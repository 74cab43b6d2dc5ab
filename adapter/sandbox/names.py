"""Made-up names and streets for generated families."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GIRLS = _words("Abby Bella Chloe Daisy Edie Faith Gemma Holly Isla Jade Kira Luna Maya Nora Opal Pia Quinn Ruby Tess")
BOYS = _words("Alan Bruno Caleb Dylan Eli Felix Gus Henry Ivan Jack Kai Leo Miles Noah Owen Pablo Reid Seth Toby")
WOMEN = _words("Amanda Bridget Carla Denise Elaine Fiona Gloria Hannah Irene Joan Kathleen Laura Monica Nadia Olga")
MEN = _words("Andrew Brian Carlos Derek Edgar Frank George Hugh Ian Jacob Kevin Lucas Martin Nathan Oscar")
_BEGINNINGS = _words("Al Bar Cal Dor El Far Gar Hol Is Jar Kel Lor Mar Nor Os Pel Quil Ros Sel Tor Ul Var Wes Yar Zel")
_MIDDLES = _words("a ben da der e fi gan i ken la lin mo na o ran si ten u ver win")
SURNAME_STARTS = tuple(beginning + middle for beginning in _BEGINNINGS for middle in _MIDDLES)
SURNAME_ENDS = _words(
    "berg bridge by dale den field ford gate ham hurst land ley man mere more son stead ton well wood"
)
STREETS = ("Oak Street", "Maple Avenue", "Harbor Road", "Mill Lane", "Church Street", "Lake View Drive", "Hill Crest")
