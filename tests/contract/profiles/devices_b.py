"""One charging device of each model of the second half of the Modbus maps, word by word as its maker prints them."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract.profiles.plates import Plate, ascii_words
from triage.drivers.profiles.interpreter import Interpreter
from triage.drivers.profiles.values import Value


def view(plate: Plate) -> dict[str, Value]:
    """Everything known of connector 1, derived values included."""
    return Interpreter(plate.profile, plate.connectors).views(plate.values())[1]


def etrel() -> Plate:
    """Charging with 16, 15.5 and 3.5 A, 7.5 kW."""
    plate = Plate("etrel_inch").put("input", 0, 4).put("input", 4, 0x4180, 0)
    plate.put("input", 14, 0x4180, 0, 0x4178, 0, 0x4060, 0).put("input", 26, 0x40F0, 0)
    plate.put("input", 990, *ascii_words("E-123", 10)).put("input", 1000, *ascii_words("INCH HOME", 10))
    return plate.put("input", 1010, *ascii_words("1.0", 5)).put("input", 1015, *ascii_words("4.2.1", 5))


def solax() -> Plate:
    """Charging: 230.12 V at most, 16.05 A at most, 11000 W, 70000.5 kWh (0x000AAE65 tenths, low word first)."""
    plate = Plate("solax_evc").put("input", 0, 23012, 22998, 22950).put("input", 4, 1605, 1590, 1601)
    plate.put("input", 11, 11000).put("input", 16, 0xAE65, 0x000A).put("input", 29, 2, 0, 0, 0, 0)
    plate.put("input", 37, 911).put("input", 39, 71).put("input", 45, 0)
    plate.put("holding", 1536, *ascii_words("C3220H12345678", 7))
    return plate.put("holding", 1549, 1).put("holding", 1576, 1600)


def sungrow() -> Plate:
    """Charging: 231.5 V, 15.9 A, 70000 W (0x00011170, low word first), 200000 Wh (0x00030D40)."""
    plate = Plate("sungrow_ac011e").put("input", 21224, 3).put("input", 21262, 2).put("input", 21267, 1)
    plate.put("input", 21299, 0x0D40, 0x0003, 2305, 157, 2315, 159, 2298, 158, 0x1170, 0x0001, 0x1388, 0)
    plate.put("input", 21313, 1, 0, 1, 3)
    return plate.put("holding", 21202, 1600, 0).put("holding", 21210, 1, 0)


def goodwe() -> Plate:
    """Charging: 231.7 V, 15.2 A, 10.4 kW, 6553.7 kWh (0x00010001 tenths)."""
    plate = Plate("goodwe_hca_g2").put("holding", 10009, 2310, 2317, 2299, 150, 152, 151, 104)
    plate.put("holding", 10017, 3).put("holding", 10029, 110).put("holding", 10032, 0)
    return plate.put("holding", 10058, 1, 0, 2).put("holding", 10065, 1, 1)


def siemens() -> Plate:
    """Charging on three phases with 14, 15 and 16 A, 3200 + 3450 + 3680 W, 41 degrees."""
    plate = Plate("siemens_versicharge").put("holding", 0, *ascii_words("SIEMENS", 5))
    plate.put("holding", 7, *ascii_words("S0001", 5)).put("holding", 12, *ascii_words("8EM1310-3EJ04", 10))
    plate.put("holding", 30, 2).put("holding", 31, *ascii_words("2.135", 10)).put("holding", 41, 3)
    plate.put("holding", 1599, ord("C"), 0).put("holding", 1602, 41).put("holding", 1633, 16)
    plate.put("holding", 1647, 14, 15, 16).put("holding", 1651, 229, 230, 231)
    return plate.put("holding", 1662, 3200, 3450, 3680).put("holding", 1692, 0x0001, 0x86A0)


def abl() -> Plate:
    """Charging (0xC2, with something in the high byte) and a sensor that sees 15.8, 15.9 and 16.0 A."""
    plate = Plate("abl_emh1").put("holding", 1, 0x0112, 0x0020).put("holding", 4, 0x2EC2)
    return plate.put("holding", 46, 0x2EC2, 0x010A, 158, 159, 160)


def warp() -> Plate:
    """Charging since 93784 s (0x00016E58) with 7360 W, 1234.5 kWh on the meter, firmware 2.4.0."""
    plate = Plate("warp_charger").put("input", 0, 0, 2, 0, 2, 0, 4, 0, 0, 0x6655, 0x8ADE, 2, 0xD474, 1, 0x6E58)
    plate.put("input", 1000, 0, 2, 0, 3, 0, 7, 0, 0, 0, 600, 0, 16000)
    return plate.put("input", 2002, 0x45E6, 0, 0x449A, 0x5000).put("coil", 1000, 1)


def evse_din() -> Plate:
    """Charging with a limit of 16 A."""
    plate = Plate("openwb_evse_din").put("holding", 1000, 16, 16, 3, 32, 0, 17, 2)
    return plate.put("holding", 2005, 0)


def victron() -> Plate:
    """Charging with 7200 W."""
    plate = Plate("victron_evcs").put("holding", 5009, 0, 1).put("holding", 5014, 7200, 2, 16)
    return plate.put("holding", 5021, 1234)


def victron_gx() -> Plate:
    """The same as the GX device shows it: 700.00 kWh (0x00011170 hundredths)."""
    plate = Plate("victron_evcs_gx").put("holding", 3815, 0, 0x0001, 0x1170)
    return plate.put("holding", 3821, 7200).put("holding", 3824, 2, 16, 1)


def em2go() -> Plate:
    """Charging: 231.2 V, 15.7 A, 70000 W (0x00011170), 6553.6 kWh (0x00010000 tenths)."""
    plate = Plate("em2go_daheimladen").put("holding", 0, 4).put("holding", 2, 3).put("holding", 4, 0)
    plate.put("holding", 6, 155).put("holding", 8, 157).put("holding", 10, 156).put("holding", 12, 0x0001, 0x1170)
    plate.put("holding", 28, 1, 0).put("holding", 32, 160).put("holding", 34, 60)
    plate.put("holding", 38, *(ord(letter) for letter in "EM2GO-0815"), *[0] * 6)
    plate.put("holding", 78, 0, 3600).put("holding", 87, 60).put("holding", 89, 30).put("holding", 91, 160)
    plate.put("holding", 93, 1).put("holding", 95, 1)
    return plate.put("holding", 109, 2300).put("holding", 111, 2312).put("holding", 113, 2295)


def hesotec() -> Plate:
    """Charging: 231 V, 16.123 A (0x00003EFB mA), 7360.468 W (0x00704FD4 mW), minus five degrees."""
    plate = (
        Plate("hesotec_esat").put("holding", 16, *ascii_words("V1.20", 3)).put("holding", 19, *ascii_words("V2.01", 3))
    )
    plate.put("holding", 4098, 0, 16).put("holding", 16384, 0xFFFB, 230, 231, 229)
    plate.put("holding", 16388, 0, 0x3EFB, 0, 0x3E80, 0, 0x3E80, 0x0070, 0x4FD4)
    plate.put("holding", 16406, 0, 16000, ord("C") << 8)
    return plate.put("holding", 16410, 0, 3600, 0, 5500)


def sigenergy() -> Plate:
    """Charging: 402.5 V, 62.1 A, 25000 W, 1234560 Wh lifetime (0x0001E240 tens)."""
    plate = Plate("sigenergy_evdc").put("input", 31500, 4025, 621, 0, 25000, 553, 0, 1234, 0, 900)
    plate.put("input", 31513, 3).put("input", 31519, 0x0001, 0xE240)
    return plate.put("input", 31523, 0, 25000)


def cfos() -> Plate:
    """Charging: 11040 W, 16.1 A, 4294967296 Wh + 70000 (64 bits), with a meter."""
    plate = Plate("cfos_power_brain").put("holding", 8000, 0, 0xCF05).put("holding", 8008, *ascii_words("CF-1", 8))
    plate.put("holding", 8016, *ascii_words("cFos Power Brain", 16))
    plate.put("holding", 8057, 7, 0, 1, 1, 0x1170, 0, 11040, 0, 159, 0, 161, 0, 160)
    return plate.put("holding", 8092, 0x0102, 160, 1)


def chinese() -> Plate:
    """Charging: 221.5 V, 31.9 A, 7.0 kW, 7000.0 kWh on the meter (0x00011170 tenths)."""
    plate = Plate("cn_rs485_pile_v2").put("holding", 2, 2).put("holding", 5, 1, 2215, 319, 70, 1800, 0, 35)
    return plate.put("holding", 12, 0x0001, 0x1170)


MAKES: dict[str, Callable[[], Plate]] = {
    "etrel_inch": etrel,
    "solax_evc": solax,
    "sungrow_ac011e": sungrow,
    "goodwe_hca_g2": goodwe,
    "siemens_versicharge": siemens,
    "abl_emh1": abl,
    "warp_charger": warp,
    "openwb_evse_din": evse_din,
    "victron_evcs": victron,
    "victron_evcs_gx": victron_gx,
    "em2go_daheimladen": em2go,
    "hesotec_esat": hesotec,
    "sigenergy_evdc": sigenergy,
    "cfos_power_brain": cfos,
    "cn_rs485_pile_v2": chinese,
}
