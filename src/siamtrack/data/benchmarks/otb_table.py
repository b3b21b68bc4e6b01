"""The targets of the Object Tracking Benchmark: frames, versions, attributes.

Paper: Wu et al., Object Tracking Benchmark, https://doi.org/10.1109/TPAMI.2014.2388226

Attributes: IV illumination variation, SV scale variation, OCC occlusion, DEF deformation, MB motion
blur, FM fast motion, IPR and OPR in-plane and out-of-plane rotation, OV out of view, BC background
clutter, LR low resolution. They are those of the 2015 paper's data.
"""

from __future__ import annotations

from dataclasses import dataclass

ATTRIBUTES = ("IV", "SV", "OCC", "DEF", "MB", "FM", "IPR", "OPR", "OV", "BC", "LR")


@dataclass(frozen=True)
class Target:
    """One target of OTB-100.

    Args:
        name: Official name; `-1` or `-2` tells the targets of one video apart.
        first: Number in the name of the first image used.
        last: Number in the name of the last image used.
        versions: Those of `2013` and `50` that contain it, besides OTB-100.
        attributes: Its challenges.

    Example:
        >>> david = next(target for target in TARGETS if target.name == "David")
        >>> david.first, david.last, len(david)
        (300, 770, 471)
    """

    name: str
    first: int
    last: int
    versions: tuple[str, ...]
    attributes: tuple[str, ...]

    def __len__(self) -> int:
        return self.last - self.first + 1


def targets(version: str) -> tuple[Target, ...]:
    """Return the targets of OTB `2013` (51), `50` (50) or `100` (100).

    Example:
        >>> [len(targets(version)) for version in ("2013", "50", "100")]
        [51, 50, 100]
    """
    return tuple(t for t in TARGETS if version == "100" or version in t.versions)


def _parse(table: str) -> tuple[Target, ...]:
    rows = [line.split() for line in table.strip().splitlines()]
    return tuple(
        Target(
            name, int(first), int(last), tuple(versions.split(",")), tuple(attributes.split(","))
        )
        for name, first, last, versions, attributes in rows
    )


TARGETS = _parse(
    """
Basketball 1 725 2013,50 IV,OCC,DEF,OPR,BC
Biker 1 142 50 SV,OCC,MB,FM,OPR,OV,LR
Bird1 1 408 50 DEF,FM,OV
Bird2 1 99 - OCC,DEF,FM,IPR,OPR
BlurBody 1 334 50 SV,DEF,MB,FM,IPR
BlurCar1 247 988 - MB,FM
BlurCar2 1 585 50 SV,MB,FM
BlurCar3 3 359 - MB,FM
BlurCar4 18 397 - MB,FM
BlurFace 1 493 50 MB,FM,IPR
BlurOwl 1 631 50 SV,MB,FM,IPR
Board 1 698 - SV,MB,FM,OPR,OV,BC
Bolt 1 350 2013,50 OCC,DEF,IPR,OPR
Bolt2 1 293 - DEF,BC
Box 1 1161 50 IV,SV,OCC,MB,IPR,OPR,OV,BC
Boy 1 602 2013 SV,MB,FM,IPR,OPR
Car1 1 1020 50 IV,SV,BC,LR
Car2 1 913 - IV,BC
Car24 1 3059 - IV,SV,BC
Car4 1 659 2013,50 IV,SV
CarDark 1 393 2013,50 IV,BC
CarScale 1 252 2013,50 SV,OCC,FM,IPR,OPR
ClifBar 1 472 50 SV,OCC,MB,FM,IPR,OV,BC
Coke 1 291 2013 IV,OCC,FM,IPR,OPR
Couple 1 140 2013,50 SV,DEF,FM,OPR,BC
Coupon 1 327 - OCC,BC
Crossing 1 120 2013 SV,DEF,BC
Crowds 1 347 50 IV,DEF,BC
Dancer 1 225 - SV,DEF,IPR,OPR
Dancer2 1 150 - DEF
David 300 770 2013,50 IV,SV,OCC,DEF,MB,IPR,OPR
David2 1 537 2013 IPR,OPR
David3 1 252 2013 OCC,DEF,OPR,BC
Deer 1 71 2013,50 MB,FM,IPR,BC
Diving 1 215 50 SV,DEF,IPR
Dog 1 127 - SV,DEF,OPR
Dog1 1 1350 2013 SV,IPR,OPR
Doll 1 3872 2013 IV,SV,OCC,IPR,OPR
DragonBaby 1 113 50 SV,OCC,MB,FM,IPR,OPR,OV
Dudek 1 1145 2013,50 SV,OCC,DEF,FM,IPR,OPR,OV,BC
FaceOcc1 1 892 2013 OCC
FaceOcc2 1 812 2013 IV,OCC,IPR,OPR
Fish 1 476 2013 IV
FleetFace 1 707 2013 SV,DEF,MB,FM,IPR,OPR
Football 1 362 2013,50 OCC,IPR,OPR,BC
Football1 1 74 2013 IPR,OPR,BC
Freeman1 1 326 2013 SV,IPR,OPR
Freeman3 1 460 2013 SV,IPR,OPR,LR
Freeman4 1 283 2013,50 SV,OCC,IPR,OPR,LR
Girl 1 500 2013,50 SV,OCC,IPR,OPR
Girl2 1 1500 - SV,OCC,DEF,MB,OPR
Gym 1 767 - SV,DEF,IPR,OPR
Human2 1 1128 - IV,SV,MB,OPR
Human3 1 1698 50 SV,OCC,DEF,OPR,BC
Human4-2 1 667 50 IV,SV,OCC,DEF
Human5 1 713 - SV,OCC,DEF
Human6 1 792 50 SV,OCC,DEF,FM,OPR,OV
Human7 1 250 - IV,SV,OCC,DEF,MB,FM
Human8 1 128 - IV,SV,DEF
Human9 1 305 50 IV,SV,DEF,MB,FM
Ironman 1 166 2013,50 IV,SV,OCC,MB,FM,IPR,OPR,OV,BC
Jogging-1 1 307 2013 OCC,DEF,OPR
Jogging-2 1 307 2013 OCC,DEF,OPR
Jump 1 122 50 SV,OCC,DEF,MB,IPR,OPR
Jumping 1 313 2013,50 MB,FM
KiteSurf 1 84 - IV,OCC,IPR,OPR
Lemming 1 1336 2013 IV,SV,OCC,FM,OPR,OV
Liquor 1 1741 2013,50 IV,SV,OCC,MB,FM,OPR,OV,BC
Man 1 134 - IV
Matrix 1 100 2013,50 IV,SV,OCC,FM,IPR,OPR,BC
Mhyang 1 1490 2013 IV,DEF,OPR,BC
MotorRolling 1 164 2013,50 IV,SV,MB,FM,IPR,BC
MountainBike 1 228 2013 IPR,OPR,BC
Panda 1 1000 50 SV,OCC,DEF,IPR,OPR,OV,LR
RedTeam 1 1918 50 SV,OCC,IPR,OPR,LR
Rubik 1 1997 - SV,OCC,IPR,OPR
Shaking 1 365 2013,50 IV,SV,IPR,OPR,BC
Singer1 1 351 2013 IV,SV,OCC,OPR
Singer2 1 366 2013,50 IV,DEF,IPR,OPR,BC
Skater 1 160 - SV,DEF,IPR,OPR
Skater2 1 435 - SV,DEF,FM,IPR,OPR
Skating1 1 400 2013,50 IV,SV,OCC,DEF,OPR,BC
Skating2-1 1 473 50 SV,OCC,DEF,FM,OPR
Skating2-2 1 473 50 SV,OCC,DEF,FM,OPR
Skiing 1 81 2013,50 IV,SV,DEF,IPR,OPR,LR
Soccer 1 392 2013,50 IV,SV,OCC,MB,FM,IPR,OPR,BC
Subway 1 175 2013 OCC,DEF,BC
Surfer 1 376 50 SV,FM,IPR,OPR,LR
Suv 1 945 2013 OCC,IPR,OV
Sylvester 1 1345 2013,50 IV,IPR,OPR
Tiger1 6 354 2013 IV,OCC,DEF,MB,FM,IPR,OPR
Tiger2 1 365 2013,50 IV,OCC,DEF,MB,FM,IPR,OPR,OV
Toy 1 271 - SV,FM,IPR,OPR
Trans 1 124 - IV,SV,OCC,DEF
Trellis 1 569 2013,50 IV,SV,IPR,OPR,BC
Twinnings 1 472 - SV,OPR
Vase 1 271 - SV,FM,IPR
Walking 1 412 2013,50 SV,OCC,DEF,LR
Walking2 1 500 2013,50 SV,OCC
Woman 1 597 2013,50 IV,SV,OCC,DEF,MB,FM,OPR
"""
)
