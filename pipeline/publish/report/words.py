"""The report's own sentences in Vietnamese and English; statuses, columns and the method note come
from `texts.py`.

Does not belong here: figures.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.schema.texts import Lang

_WORDS: Mapping[str, tuple[str, str]] = {
    "republic": ("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", "SOCIALIST REPUBLIC OF VIET NAM"),
    "motto": ("Độc lập - Tự do - Hạnh phúc", "Independence - Freedom - Happiness"),
    "number": ("Số: {number}/{sign}", "No.: {number}/{sign}"),
    "blank_number": ("[số văn bản]", "[document number]"),
    "blank_place": ("[địa danh]", "[place]"),
    "blank_signer": ("[họ và tên người ký]", "[name of the signer]"),
    "title": ("BÁO CÁO", "REPORT"),
    "subject": ("Kết quả đo tốc độ mạng di động {technology} và vùng lõm sóng, kỳ {period}", "Results of the {technology} speed tests and coverage gaps, period {period}"),
    "to": ("Kính gửi:", "To:"),
    "recipients": ("Nơi nhận:", "Recipients:"),
    "as_above": ("- Như trên;", "- As above;"),
    "operators": ("- Các doanh nghiệp viễn thông: {names};", "- Mobile operators: {names};"),
    "file": ("- Lưu: VT.", "- Archive."),
    "opening": ("{authority} báo cáo kết quả tổng hợp các phép đo i-Speed của người dân trên địa bàn {area} như sau:", "{authority} reports what the citizens' i-Speed tests in {area} show:"),
    "h_data": ("I. SỐ LIỆU", "I. DATA"),
    "scope": ("Kỳ báo cáo {period}; cửa sổ bằng chứng {window}; số liệu đến ngày {cut_off}. Mục tiêu: tốc độ tải xuống trung bình {technology} từ {target} Mbps theo {source}.",
              "Report period {period}; evidence window {window}; data up to {cut_off}. Target: mean {technology} download of {target} Mbps by {source}."),
    "revision": ("Đây là bản cập nhật lần {number}; khác bản trước về: {causes}; {count} kết luận xã × nhà mạng thay đổi (danh sách trong manifest.json).",
                 "This is revision {number}; it differs from the one before in: {causes}; {count} commune × operator verdicts changed (listed in manifest.json)."),
    "unknown_date": ("[chưa có số liệu]", "[no data]"),
    "counts": ("Trong kỳ có {tests} phép đo {technology} hợp lệ, thành {samples} mẫu đại diện của {devices} thiết bị; cả cửa sổ bằng chứng: {all_tests} phép đo của {all_devices} thiết bị.",
               "The period holds {tests} valid {technology} tests, which make {samples} representative samples of {devices} devices; the evidence window {all_tests} tests of {all_devices} devices."),
    "no_tests": ("Trong cửa sổ bằng chứng không có phép đo {technology} hợp lệ nào: chưa thể kết luận cho xã nào.", "The evidence window holds no valid {technology} test: nothing can be said of any commune."),
    "installs": ("Lượt cài đặt ứng dụng: {count}.", "Installations of the app: {count}."),
    "official": ("Số xã, phường đủ {official} phép đo trong tháng {month}: {reached}; từ 1 đến {below}: {some}; chưa có phép đo nào: {none}; tổng {all}.",
                 "Communes with {official} or more tests in {month}: {reached}; with 1 to {below}: {some}; with none: {none}; of {all}."),
    "h_results": ("II. KẾT QUẢ", "II. RESULTS"),
    "t_operators": ("Bảng 1. Tốc độ theo nhà mạng trong kỳ, mỗi thiết bị một phiếu", "Table 1. Speeds by operator in the period, one device one vote"),
    "bounds": ("Tỷ lệ xã, phường đạt mục tiêu ở mọi nhà mạng có mặt nằm giữa {low} % (chỉ tính nơi chắc chắn đạt) và {high} % (trừ nơi chắc chắn lõm).",
               "The share of communes in which every operator present meets the target lies between {low} % (only where that is sure) and {high} % (all but sure gaps)."),
    "classes": ("Theo xã, phường: {counts}.", "By commune: {counts}."),
    "statuses": ("Theo xã, phường và nhà mạng: {counts}.", "By commune and operator: {counts}."),
    "f_status": ("Hình 1. Kết luận theo xã, phường", "Figure 1. Verdict by commune"),
    "f_evidence": ("Hình 2. Bằng chứng: nhà mạng đã có kết luận", "Figure 2. Evidence: operators with a verdict"),
    "f_trend": ("Hình 3. Phép đo và thiết bị theo tháng", "Figure 3. Tests and devices by month"),
    "t_matrix": ("Bảng 2. Kết luận theo xã, phường và nhà mạng (trung bình tải xuống, Mbps; – là không công bố)", "Table 2. Verdict by commune and operator (mean download, Mbps; – is not published)"),
    "h_gaps": ("III. VÙNG LÕM SÓNG", "III. COVERAGE GAPS"),
    "gaps": ("Lõm chắc chắn: {confirmed} trường hợp xã × nhà mạng tại {confirmed_communes} xã, phường ({confirmed_people} dân). Lõm nhiều khả năng: {probable} tại {probable_communes} xã, phường ({probable_people} dân).",
             "Confirmed gaps: {confirmed} commune × operator cases in {confirmed_communes} communes ({confirmed_people} people). Probable gaps: {probable} in {probable_communes} communes ({probable_people} people)."),
    "no_gaps": ("Kỳ này không có vùng lõm chắc chắn hay nhiều khả năng.", "The period has no confirmed or probable gap."),
    "t_gaps": ("Bảng 3. Ưu tiên đầu tư ({shown} trong {all}; đủ ở tables/priorities.xlsx)", "Table 3. Investment priorities ({shown} of {all}; all in tables/priorities.xlsx)"),
    "areas": ("Vùng lõm trên bản đồ: {states}.", "Gap areas on the map: {states}."),
    "no_areas": ("Chưa có ô lục giác nào đủ số đo để khoanh vùng lõm.", "No hex has tests enough to draw a gap area."),
    "h_undecided": ("IV. NƠI CHƯA ĐỦ BẰNG CHỨNG", "IV. NOT ENOUGH EVIDENCE"),
    "undecided": ("{count} trường hợp xã × nhà mạng chưa kết luận được; không phải là đạt, cũng không phải là lõm. Cần đo trước:", "{count} commune × operator cases are undecided: neither a pass nor a gap. To be measured first:"),
    "all_decided": ("Mọi xã, phường và nhà mạng đều đã có kết luận.", "Every commune and operator has a verdict."),
    "t_undecided": ("Bảng 4. Cần đo trước ({shown} trong {all})", "Table 4. Measure first ({shown} of {all})"),
    "h_changes": ("V. THAY ĐỔI", "V. CHANGES"),
    "no_former": ("Chưa có kết quả của kỳ trước để so sánh.", "There are no results of the period before to compare with."),
    "changes": ("So với kỳ {former}: lõm mới kết luận {new_gap}; lõm đã hết {closed_gap}; tốt lên rõ rệt {better}; kém đi rõ rệt {worse}; không thấy thay đổi {no_change}; chưa so sánh được {not_comparable}. Chỉ nói tốt lên hay kém đi khi hai khoảng tin cậy tách rời.",
                "Since {former}: newly called gaps {new_gap}; closed gaps {closed_gap}; clearly better {better}; clearly worse {worse}; no detectable change {no_change}; not comparable {not_comparable}. Better and worse are said only where the two intervals lie apart."),
    "t_changes": ("Bảng 5. Thay đổi phát hiện được", "Table 5. Detectable changes"),
    "no_change": ("Không thấy thay đổi phát hiện được.", "No detectable change."),
    "h_people": ("VI. THAM GIA ĐO KIỂM", "VI. PARTICIPATION"),
    "people": ("So với kỳ trước, số thiết bị tăng rõ ở {more} xã, phường, giảm rõ ở {fewer}, không đổi ở {unchanged}.", "Against the period before, devices clearly rose in {more} communes, fell in {fewer}, and stayed in {unchanged}."),
    "best": ("Nhiều thiết bị nhất trên 1.000 dân: {names}.", "Most devices per 1,000 people: {names}."),
    "worst": ("Ít nhất: {names}.", "Fewest: {names}."),
    "signs": ("Tháng {month} có dấu hiệu đo theo chiến dịch ở {count} xã, phường: {names}. Các phép đo này vẫn được tính.", "In {month} tests look like a campaign's in {count} communes: {names}. They count all the same."),
    "no_signs": ("Tháng {month} không xã, phường nào có dấu hiệu đo theo chiến dịch.", "In {month} no commune's tests look like a campaign's."),
    "h_requests": ("VII. KIẾN NGHỊ", "VII. REQUESTS"),
    "ask_committee": ("Ủy ban nhân dân tỉnh: chỉ đạo các xã, phường vận động người dân đo i-Speed, trước hết ở {count} xã, phường chưa đủ {official} phép đo; tạo điều kiện về mặt bằng, điện cho trạm mới.",
                      "The People's Committee: have the communes call on citizens to test, first in the {count} communes below {official} tests; help with sites and power for new stations."),
    "ask_ministry": ("Bộ Khoa học và Công nghệ – Cục Viễn thông: xem xét hỗ trợ hạ tầng tại {count} xã, phường không nhà mạng nào đạt.", "The ministry: consider support for infrastructure in the {count} communes where no operator meets the target."),
    "ask_operators": ("Các doanh nghiệp viễn thông: đầu tư, nâng cấp theo thứ tự ưu tiên tại Bảng 3 ({names}) và báo cáo kết quả trước kỳ sau.", "The operators: invest in the order of Table 3 ({names}) and report before the next period."),
    "ask_operators_none": ("Các doanh nghiệp viễn thông: duy trì chất lượng và vận động thuê bao đo kiểm.", "The operators: keep the quality and call on subscribers to test."),
    "h_method": ("VIII. PHƯƠNG PHÁP VÀ NGUỒN", "VIII. METHOD AND SOURCES"),
    "sources": ("Nguồn: {sources}.", "Sources: {sources}."),
    "none_here": ("không có", "none"),
    "c_tests": ("Phép đo", "Tests"),
    "c_devices": ("Thiết bị", "Devices"),
    "c_down": ("Tải xuống TB / trung vị", "Download mean / median"),
    "c_up": ("Tải lên TB / trung vị", "Upload mean / median"),
    "c_latency": ("Độ trễ TB / trung vị (ms)", "Latency mean / median (ms)"),
    "c_rolling": ("Tải xuống TB 12 tháng", "Download mean, 12 months"),
    "c_before_after": ("Trước → nay (Mbps)", "Before → now (Mbps)"),
    "c_change": ("Thay đổi", "Change"),
    "new_gap": ("lõm mới kết luận", "new gap"),
    "closed_gap": ("lõm đã hết", "closed gap"),
    "better": ("tốt lên rõ rệt", "clearly better"),
    "worse": ("kém đi rõ rệt", "clearly worse"),
    "tests_axis": ("Phép đo hợp lệ", "Valid tests"),
    "devices_axis": ("Thiết bị", "Devices"),
    "known_all": ("mọi nhà mạng", "every operator"),
    "known_some": ("một số nhà mạng", "some operators"),
    "known_none": ("chưa nhà mạng nào", "no operator"),
    "page_title": ("Tóm tắt", "Summary"),
}  # fmt: skip


def said(key: str, lang: Lang, **values: object) -> str:
    """A sentence of the report with its figures filled in.

    >>> said("no_change", "en")
    'No detectable change.'
    """
    text = _WORDS[key][lang == "en"]
    for name, value in values.items():
        text = text.replace("{" + name + "}", str(value))
    return text
